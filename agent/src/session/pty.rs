//! A pseudo-terminal: the master side, read as an asynchronous stream and typed into, and the client's terminal modes.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use russh::Pty as Mode;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Winsize, tcgetattr, tcsetattr, tcsetwinsize,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, Interest, ReadBuf};

const TERMINAL_BYTES: usize = 8 * 1024;

/// What the client asked for with `pty-req`.
#[derive(Clone, Debug)]
pub struct TerminalRequest {
    pub term: String,
    pub size: Size,
    pub modes: Vec<(Mode, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub cols: u32,
    pub rows: u32,
}

/// The master side. Clones are the same terminal; the last one to go hangs up.
#[derive(Clone)]
pub struct Master(Arc<AsyncFd<OwnedFd>>);

/// A new terminal, and its other side for the child.
pub fn open(request: &TerminalRequest) -> io::Result<(Master, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, flags)?;
    set_size(&master, request.size)?;
    apply(&master, &request.modes)?;
    fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
    #[expect(deprecated, reason = "its successor is unsafe for types that may give up their descriptor; an OwnedFd doesn't")]
    let master = AsyncFd::with_interest(master, Interest::READABLE | Interest::WRITABLE)?;
    Ok((Master(Arc::new(master)), slave))
}

impl Master {
    pub fn resize(&self, size: Size) -> io::Result<()> {
        set_size(self.0.get_ref(), size)
    }

    /// Writes some of what was typed, and says whether the terminal echoed it. Dropping it in the middle loses nothing.
    pub async fn type_in(&self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        loop {
            let mut guard = self.0.writable().await?;
            let typed = guard.try_io(|fd| {
                // On both sides of the write: a prompt may switch the echo off at any moment. When in doubt it counts as not echoed.
                let before = echoes(fd.get_ref())?;
                let n = rustix::io::write(fd.get_ref(), bytes)?;
                Ok((n, before && echoes(fd.get_ref())?))
            });
            match typed {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    /// The last key among these that the terminal turns into a signal, like Ctrl-C.
    pub fn last_interrupt(&self, bytes: &[u8]) -> Option<u8> {
        let termios = tcgetattr(self.0.get_ref()).ok().filter(|termios| termios.local_modes.contains(LocalModes::ISIG))?;
        let codes = [SpecialCodeIndex::VINTR, SpecialCodeIndex::VQUIT, SpecialCodeIndex::VSUSP].map(|code| termios.special_codes[code]);
        bytes.iter().rev().find(|byte| **byte != 0 && codes.contains(byte)).copied()
    }
}

fn echoes(master: &OwnedFd) -> io::Result<bool> {
    Ok(tcgetattr(master)?.local_modes.contains(LocalModes::ECHO))
}

fn set_size(master: &OwnedFd, size: Size) -> io::Result<()> {
    let clamp = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    let size = Winsize { ws_row: clamp(size.rows), ws_col: clamp(size.cols), ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(master, size)?)
}

impl AsyncRead for Master {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            // A terminal never has more than this at a time.
            let most = buffer.remaining().min(TERMINAL_BYTES);
            let unfilled = buffer.initialize_unfilled_to(most);
            match guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), unfilled)?)) {
                Ok(Ok(n)) => {
                    buffer.advance(n);
                    return Poll::Ready(Ok(()));
                }
                // Linux says EIO when the last process has closed the terminal: the end, not an error.
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => return Poll::Ready(Ok(())),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

const INPUT: [(Mode, InputModes); 13] = [
    (Mode::IGNPAR, InputModes::IGNPAR),
    (Mode::PARMRK, InputModes::PARMRK),
    (Mode::INPCK, InputModes::INPCK),
    (Mode::ISTRIP, InputModes::ISTRIP),
    (Mode::INLCR, InputModes::INLCR),
    (Mode::IGNCR, InputModes::IGNCR),
    (Mode::ICRNL, InputModes::ICRNL),
    (Mode::IUCLC, InputModes::IUCLC),
    (Mode::IXON, InputModes::IXON),
    (Mode::IXANY, InputModes::IXANY),
    (Mode::IXOFF, InputModes::IXOFF),
    (Mode::IMAXBEL, InputModes::IMAXBEL),
    (Mode::IUTF8, InputModes::IUTF8),
];

const LOCAL: [(Mode, LocalModes); 13] = [
    (Mode::ISIG, LocalModes::ISIG),
    (Mode::ICANON, LocalModes::ICANON),
    (Mode::XCASE, LocalModes::XCASE),
    (Mode::ECHO, LocalModes::ECHO),
    (Mode::ECHOE, LocalModes::ECHOE),
    (Mode::ECHOK, LocalModes::ECHOK),
    (Mode::ECHONL, LocalModes::ECHONL),
    (Mode::NOFLSH, LocalModes::NOFLSH),
    (Mode::TOSTOP, LocalModes::TOSTOP),
    (Mode::IEXTEN, LocalModes::IEXTEN),
    (Mode::ECHOCTL, LocalModes::ECHOCTL),
    (Mode::ECHOKE, LocalModes::ECHOKE),
    (Mode::PENDIN, LocalModes::PENDIN),
];

const OUTPUT: [(Mode, OutputModes); 6] = [
    (Mode::OPOST, OutputModes::OPOST),
    (Mode::OLCUC, OutputModes::OLCUC),
    (Mode::ONLCR, OutputModes::ONLCR),
    (Mode::OCRNL, OutputModes::OCRNL),
    (Mode::ONOCR, OutputModes::ONOCR),
    (Mode::ONLRET, OutputModes::ONLRET),
];

const CODES: [(Mode, SpecialCodeIndex); 14] = [
    (Mode::VINTR, SpecialCodeIndex::VINTR),
    (Mode::VQUIT, SpecialCodeIndex::VQUIT),
    (Mode::VERASE, SpecialCodeIndex::VERASE),
    (Mode::VKILL, SpecialCodeIndex::VKILL),
    (Mode::VEOF, SpecialCodeIndex::VEOF),
    (Mode::VEOL, SpecialCodeIndex::VEOL),
    (Mode::VEOL2, SpecialCodeIndex::VEOL2),
    (Mode::VSTART, SpecialCodeIndex::VSTART),
    (Mode::VSTOP, SpecialCodeIndex::VSTOP),
    (Mode::VSUSP, SpecialCodeIndex::VSUSP),
    (Mode::VREPRINT, SpecialCodeIndex::VREPRINT),
    (Mode::VWERASE, SpecialCodeIndex::VWERASE),
    (Mode::VLNEXT, SpecialCodeIndex::VLNEXT),
    (Mode::VDISCARD, SpecialCodeIndex::VDISCARD),
];

/// Sets what the client's terminal had (RFC 4254, section 8). Speeds and what Linux doesn't have are left alone.
fn apply(master: &OwnedFd, modes: &[(Mode, u32)]) -> io::Result<()> {
    let mut termios = tcgetattr(master)?;
    for (mode, value) in modes {
        let on = *value != 0;
        if let Some((_, flag)) = INPUT.iter().find(|(known, _)| known == mode) {
            termios.input_modes.set(*flag, on);
        } else if let Some((_, flag)) = LOCAL.iter().find(|(known, _)| known == mode) {
            termios.local_modes.set(*flag, on);
        } else if let Some((_, flag)) = OUTPUT.iter().find(|(known, _)| known == mode) {
            termios.output_modes.set(*flag, on);
        } else if let Some((_, index)) = CODES.iter().find(|(known, _)| known == mode) {
            // 255 is the protocol's word for "disabled", 0 is Linux's.
            termios.special_codes[*index] = u8::try_from(*value).ok().filter(|code| *code != u8::MAX).unwrap_or(0);
        }
    }
    Ok(tcsetattr(master, OptionalActions::Now, &termios)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::termios::tcgetwinsize;
    use tokio::io::AsyncReadExt;

    fn request(modes: Vec<(Mode, u32)>) -> TerminalRequest {
        TerminalRequest { term: "xterm".into(), size: Size { cols: 100, rows: 30 }, modes }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn modes_and_size_reach_the_other_side() {
        let (master, slave) = open(&request(vec![(Mode::ECHO, 0), (Mode::VINTR, 7), (Mode::VQUIT, 255)])).unwrap();
        let termios = tcgetattr(&slave).unwrap();
        assert!(!termios.local_modes.contains(LocalModes::ECHO));
        assert_eq!((termios.special_codes[SpecialCodeIndex::VINTR], termios.special_codes[SpecialCodeIndex::VQUIT]), (7, 0));
        master.resize(Size { cols: 70_000, rows: 50 }).unwrap();
        let size = tcgetwinsize(&slave).unwrap();
        assert_eq!((size.ws_col, size.ws_row), (u16::MAX, 50));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_typed_tells_whether_it_was_echoed_and_which_key_interrupts() {
        let (master, slave) = open(&request(vec![(Mode::VINTR, 3), (Mode::ECHO, 1), (Mode::ISIG, 1)])).unwrap();
        assert_eq!(master.type_in(b"seen").await.unwrap(), (4, true));
        assert_eq!(master.last_interrupt(b"ab\x03cd"), Some(3));
        assert_eq!(master.last_interrupt(b"abcd\x00"), None);
        let mut termios = tcgetattr(&slave).unwrap();
        termios.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(&slave, OptionalActions::Now, &termios).unwrap();
        assert_eq!(master.type_in(b"secret").await.unwrap(), (6, false));
        assert_eq!(master.last_interrupt(b"\x03"), None, "in a full-screen program it is a key like any other");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn bytes_go_through_and_the_end_is_an_end() {
        let (mut master, slave) = open(&request(vec![(Mode::OPOST, 0), (Mode::ECHO, 0)])).unwrap();
        rustix::io::write(&slave, "风扇".as_bytes()).unwrap();
        let mut buffer = [0; 64];
        let n = master.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..n], "风扇".as_bytes());
        assert_eq!(master.type_in(b"in\n").await.unwrap(), (3, false));
        let n = rustix::io::read(&slave, &mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"in\n");
        drop(slave);
        assert_eq!(master.read(&mut buffer).await.unwrap(), 0);
    }
}
