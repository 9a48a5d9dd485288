//! The bytes of one image as they come, whatever they come in, until there are too many.

use bytes::Bytes;
use futures::{Stream, StreamExt};

use crate::content::{Content, Writer};
use crate::refusal::Refusal;

/// All of `chunks`, at most `limit` bytes of the image called `name`.
///
/// # Errors
/// When there are more, when there is no room for them, or when they break off: what `refusal` makes of that.
pub(super) async fn collect<E>(
    chunks: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    mut content: Writer,
    name: &str,
    limit: u64,
    refusal: impl Fn(E) -> Refusal,
) -> Result<Content, Refusal> {
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(&refusal)?;
        if content.len() + chunk.len() as u64 > limit {
            return Err(Refusal::TooLarge { name: name.to_owned(), limit });
        }
        content.write(chunk).await?;
    }
    Ok(content.finish().await?)
}
