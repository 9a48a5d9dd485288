//! TLS with a certificate from files, which may change: Kubernetes swaps them when the Secret does.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Stream;
use crate::files::Watched;

/// As Kubernetes names them in Secrets of type kubernetes.io/tls.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file is not there or may not be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is not PEM, or not what it should be.
    #[error("{} in {} cannot be used: {source}", .name, .folder.display())]
    Pem {
        /// Which of the two.
        name: &'static str,
        /// Where it is.
        folder: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// They do not go together, or are of a kind that is not supported.
    #[error("the certificate and its key in {} cannot be used: {source}", .folder.display())]
    Unusable {
        /// Where they are.
        folder: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
}

/// What TLS connections begin with.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
    /// As they were read first.
    pems: Pems,
}

#[derive(Debug)]
struct Certificate {
    folder: PathBuf,
    provider: CryptoProvider,
    current: RwLock<Arc<CertifiedKey>>,
}

/// The two files.
type Pems = [Vec<u8>; 2];

impl Tls {
    /// Reads both files in `folder`.
    ///
    /// # Errors
    /// When they are missing or of no use.
    pub(crate) fn new(folder: &Path) -> Result<Self, TlsError> {
        let provider = aws_lc_rs::default_provider();
        let pems = read(folder)?;
        let current = RwLock::new(Arc::new(certified(&pems, folder, &provider)?));
        let certificate = Arc::new(Certificate { folder: folder.to_owned(), provider: provider.clone(), current });
        let unusable = |source| TlsError::Unusable { folder: folder.to_owned(), source };
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
        let config = config.map_err(unusable)?.with_no_client_auth();
        let mut config = config.with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Self { acceptor: Arc::new(config).into(), certificate, pems })
    }

    /// Begins TLS on a connection; true when HTTP/2 was agreed upon.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<(Box<dyn Stream>, bool)> {
        let stream = self.acceptor.accept(stream).await?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        Ok((Box::new(stream), is_http2))
    }

    /// Follows the files for ever. New ones that are of no use change nothing.
    pub(crate) async fn follow(self) {
        let Certificate { folder, provider, current } = &*self.certificate;
        let mut files = Watched::new(Some(self.pems));
        loop {
            let Some(pems) = files.changed(|| read(folder).ok()).await else {
                tracing::warn!(folder = %folder.display(), "the files with certificate and key are gone, going on with the last ones");
                continue;
            };
            match certified(&pems, folder, provider) {
                Ok(new) => {
                    *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                    tracing::info!(folder = %folder.display(), "the certificate has changed");
                }
                Err(error) => tracing::warn!(%error, "the new certificate is of no use, going on with the last one"),
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(folder: &Path) -> Result<Pems, TlsError> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|source| TlsError::Read { path, source })
    };
    Ok([read(CERTIFICATE)?, read(KEY)?])
}

fn certified([certificates, key]: &Pems, folder: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let wrong = |name| move |source| TlsError::Pem { name, folder: folder.to_owned(), source };
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>().map_err(wrong(CERTIFICATE))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(wrong(KEY))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Unusable { folder: folder.to_owned(), source })
}
