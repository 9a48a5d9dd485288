#![allow(clippy::unwrap_used)]

use http_body_util::BodyExt as _;

use super::*;

const MIB: usize = 1 << 20;

fn room(folder: &Path, memory: usize, disk: usize) -> Room {
    Room::new(memory as u64, disk as u64, folder.to_owned())
}

/// `bytes` in chunks as a network brings them.
async fn content(room: &Room, bytes: &[u8]) -> Result<Content, ContentError> {
    let mut writer = room.writer(true);
    for chunk in bytes.chunks(10_000) {
        writer.write(Bytes::copy_from_slice(chunk)).await?;
    }
    writer.finish().await
}

fn image(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn memory_is_used_as_far_as_it_goes_and_all_of_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let room = room(folder.path(), 2 * MIB, 16 * MIB);
    let (free, disk) = (room.memory.available_permits(), room.disk.available_permits());
    let small = content(&room, &image(MIB)).await.unwrap();
    assert_eq!(small.in_memory().unwrap(), &image(MIB));
    assert_eq!(room.memory.available_permits(), free - MIB / PERMIT_BYTES, "no more than its bytes");
    let large = content(&room, &image(5 * MIB)).await.unwrap();
    let Place::File(file) = large.place() else { unreachable!("5 MiB do not fit into 1") };
    for _ in 0..2 {
        assert!(file.body().collect().await.unwrap().to_bytes() == image(5 * MIB), "as often as it is sent");
    }
    assert_eq!(room.memory.available_permits(), free - MIB / PERMIT_BYTES, "what is in a file takes no memory");
    for (content, len) in [(&small, MIB), (&large, 5 * MIB)] {
        assert_eq!((content.len(), content.head()), (len as u64, &image(HEAD_BYTES)[..]));
        assert_eq!(content.sha256(), Some(Sha256::new_with_prefix(image(len)).into()));
    }
    drop((small, large));
    assert_eq!((room.memory.available_permits(), room.disk.available_permits()), (free, disk));
}

#[tokio::test]
async fn files_have_no_names_that_could_be_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let content = content(&room(folder.path(), 0, MIB), b"GIF89a").await.unwrap();
    assert!(matches!(content.place(), Place::File(_)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(content.head(), b"GIF89a");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_full_is_waited_for_and_then_said() {
    let folder = tempfile::tempdir().unwrap();
    let room = room(folder.path(), 0, MIB);
    let first = content(&room, &image(MIB)).await.unwrap();
    assert!(matches!(content(&room, &image(1)).await, Err(ContentError::Full)));
    let bytes = image(MIB);
    let second = content(&room, &bytes);
    let free = async {
        tokio::time::sleep(PATIENCE / 2).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(second, free);
    assert_eq!(second.unwrap().len(), MIB as u64);
}

#[tokio::test]
async fn a_folder_that_takes_no_files_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    assert!(room(&folder.path().join("made/at/need"), 0, 1).check().is_ok());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(room(&file, 0, 1).check().is_err());
}
