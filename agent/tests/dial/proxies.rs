//! Proxies: a real tinyproxy, and one that does what no proxy should.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::task::TaskTracker;

use crate::centre::eventually;

/// Killed when dropped.
pub struct Tinyproxy {
    child: Child,
    pub address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Tinyproxy {
    /// On loopback, with more in its configuration.
    pub fn start(address: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // It takes no port 0 and prints none: a port that was free a moment ago, and another where somebody was faster.
        let (child, address) = eventually("tinyproxy (Debian package `tinyproxy`) on a port of its own", || {
            let free = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap();
            let child = Self::spawn(dir.path(), free, more);
            Self::is_up(child, free)
        });
        Self { child, address, _dir: dir }
    }

    /// Again on the same port.
    pub fn start_on(address: SocketAddr, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = eventually("tinyproxy on its old port", || Self::is_up(Self::spawn(dir.path(), address, more), address)).0;
        Self { child, address, _dir: dir }
    }

    fn spawn(dir: &Path, address: SocketAddr, more: &str) -> Child {
        let config = dir.join("tinyproxy.conf");
        let (ip, port) = (address.ip(), address.port());
        std::fs::write(&config, format!("Port {port}\nListen {ip}\nTimeout 600\nMaxClients 50\n{more}\n")).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("tinyproxy is installed (Debian package `tinyproxy`)")
    }

    fn is_up(mut child: Child, address: SocketAddr) -> Option<(Child, SocketAddr)> {
        eventually("tinyproxy listens or ends", || match child.try_wait().unwrap() {
            Some(_) => Some(None),
            None => TcpStream::connect(address).ok().map(|_| Some(())),
        })
        .map(|()| (child, address))
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a request, and answers every one with the same parts, each sent for itself; then it keeps the connection or not.
pub struct Misbehaving {
    pub address: SocketAddr,
    tasks: TaskTracker,
    listening: tokio::task::AbortHandle,
}

impl Misbehaving {
    pub async fn start(parts: Vec<Vec<u8>>, keeps: bool) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, tasks) = (listener.local_addr().unwrap(), TaskTracker::new());
        let (parts, inner) = (Arc::new(parts), tasks.clone());
        let listening = tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let parts = Arc::clone(&parts);
                inner.spawn(async move {
                    stream.set_nodelay(true).unwrap();
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        request.push(stream.read_u8().await.ok()?);
                    }
                    for part in parts.iter() {
                        stream.write_all(part).await.ok()?;
                        tokio::task::yield_now().await;
                    }
                    if keeps {
                        // Until the other side has had enough.
                        let _ = stream.read(&mut [0]).await;
                    }
                    Some(())
                });
            }
        });
        Self { address, tasks, listening: listening.abort_handle() }
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        self.listening.abort();
        self.tasks.close();
    }
}
