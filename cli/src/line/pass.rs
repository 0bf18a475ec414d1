//! Handing a connected socket to `ssh`, which is the other end of stdout.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use rustix::fs::FileType;
use rustix::net::sockopt::socket_domain;
use rustix::net::{AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::LineError;

/// What stdout is, and so what `ssh` wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdout {
    /// A Unix socket, given with `ProxyUseFdpass yes`: the connection itself is wanted.
    Socket,
    /// A pipe, given without: the connection's bytes are wanted.
    Pipe,
    /// A terminal or a file: nobody is there who speaks SSH.
    Other,
}

impl Stdout {
    pub fn of(stdout: impl AsFd) -> Self {
        if socket_domain(&stdout) == Ok(AddressFamily::UNIX) {
            return Self::Socket;
        }
        let kind = rustix::fs::fstat(&stdout).map(|stat| FileType::from_raw_mode(stat.st_mode));
        if kind == Ok(FileType::Fifo) { Self::Pipe } else { Self::Other }
    }
}

/// Sends the socket over a Unix socket, with the one byte that a message needs.
pub fn pass(connection: &TcpStream, to: impl AsFd) -> Result<(), LineError> {
    let sockets = [connection.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    if !message.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(LineError::Pass(std::io::Error::other("one socket does not fit into a message")));
    }
    rustix::io::retry_on_intr(|| sendmsg(&to, &[IoSlice::new(&[0])], &mut message, SendFlags::empty()))
        .map(drop)
        .map_err(|error| LineError::Pass(error.into()))
}

/// Copies bytes both ways until the device's side ends: for clients that take no socket.
pub fn copy(connection: &TcpStream) -> std::io::Result<()> {
    let (mut stdin, mut stdout) = (own(std::io::stdin())?, own(std::io::stdout())?);
    let mut up = connection.try_clone()?;
    // Ends with the process: a read from stdin can't be called off.
    std::thread::spawn(move || {
        // An error either way is the end of what `ssh` has to say.
        let _ = flow(&mut stdin, &mut up);
        let _ = up.shutdown(Shutdown::Write);
    });
    flow(&mut { connection }, &mut stdout)
}

/// Each piece as it comes. (`std::io::copy` asks the kernel to splice, which waits for more than SSH's next word.)
fn flow(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&buffer[..length])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Without the buffer that the standard streams have.
fn own(stream: impl AsFd) -> std::io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}
