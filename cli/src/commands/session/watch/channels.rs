//! The channels of a session that is watched: which one is looked at, and what each of them shows.

use std::collections::BTreeMap;

use lineman_common::recording::{Event, What};
use lineman_common::session::Door;

use super::super::window::Picture;

/// Pictures are kept of so many channels; of more, the oldest are let go, those that are over first.
const MOST_CHANNELS: usize = 128;

struct Channel {
    door: Door,
    terminal: bool,
    open: bool,
    picture: Picture,
}

/// Follows what happens, and chooses what to show.
#[derive(Default)]
pub struct Channels {
    all: BTreeMap<u32, Channel>,
    /// The one that a person asked for.
    fixed: Option<u32>,
    nothing: Picture,
}

impl Channels {
    pub fn new(fixed: Option<u32>) -> Self {
        Self { fixed, ..Self::default() }
    }

    pub fn feed(&mut self, event: &Event) {
        match &event.what {
            What::Open(opened) => {
                let terminal = opened.terminal.is_some();
                self.all.insert(event.channel, Channel { door: opened.door, terminal, open: true, picture: Picture::default() });
                self.thin_out();
            }
            What::Exit { .. } => {
                if let Some(channel) = self.all.get_mut(&event.channel) {
                    channel.open = false;
                }
            }
            What::Bytes(..)
            | What::Resize { .. }
            | What::Sftp(_)
            | What::Truncated(_)
            | What::Total { .. }
            | What::Note(_)
            | What::Other(..) => {}
        }
        if let Some(channel) = self.all.get_mut(&event.channel) {
            channel.picture.feed(event);
        }
    }

    fn thin_out(&mut self) {
        while self.all.len() > MOST_CHANNELS {
            let over = self.all.iter().find(|(_, channel)| !channel.open).or_else(|| self.all.iter().next());
            let Some(number) = over.map(|(number, _)| *number) else { return };
            self.all.remove(&number);
        }
    }

    /// The channel to look at: a terminal that is open, else whatever was opened last and is open, else the last one.
    pub fn current(&self) -> Option<u32> {
        let newest =
            |wanted: &dyn Fn(&Channel) -> bool| self.all.iter().rev().find(|(_, channel)| wanted(channel)).map(|(number, _)| *number);
        self.fixed
            .or_else(|| newest(&|channel| channel.open && channel.terminal))
            .or_else(|| newest(&|channel| channel.open))
            .or_else(|| newest(&|channel| channel.terminal))
            .or_else(|| newest(&|_| true))
    }

    pub fn picture(&self) -> &Picture {
        self.current().and_then(|number| self.all.get(&number)).map_or(&self.nothing, |channel| &channel.picture)
    }

    /// Which channel is shown, in words.
    pub fn shown(&self) -> String {
        let Some(number) = self.current() else { return "no channel yet".to_owned() };
        let open = self.all.values().filter(|channel| channel.open).count();
        let Some(channel) = self.all.get(&number) else { return format!("channel {number} (not opened yet)") };
        let over = if channel.open { "" } else { ", over" };
        let others = open.saturating_sub(usize::from(channel.open));
        let more = if others > 0 { format!(", {others} more") } else { String::new() };
        format!("channel {number} ({}{over}){more}", channel.door)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lineman_common::recording::{Opened, Terminal};

    fn open(channels: &mut Channels, channel: u32, terminal: bool) {
        let size = Terminal { term: "xterm".into(), cols: 80, rows: 24 };
        let door = if terminal { Door::Shell } else { Door::Exec };
        let opened = Opened { door, command: None, terminal: terminal.then_some(size), target: None };
        channels.feed(&Event { seconds: 0.0, channel, what: What::Open(opened) });
    }

    fn exit(channels: &mut Channels, channel: u32) {
        channels.feed(&Event { seconds: 0.0, channel, what: What::Exit { status: Some(0), signal: None } });
    }

    #[test]
    fn the_terminal_is_looked_at_and_new_channels_are_followed() {
        let mut channels = Channels::new(None);
        assert_eq!((channels.current(), channels.shown().as_str()), (None, "no channel yet"));
        open(&mut channels, 0, false);
        assert_eq!(channels.current(), Some(0));
        open(&mut channels, 1, true);
        open(&mut channels, 2, false);
        assert_eq!((channels.current(), channels.shown().as_str()), (Some(1), "channel 1 (shell), 2 more"));
        exit(&mut channels, 1);
        assert_eq!(channels.current(), Some(2), "a command that goes on is more than a terminal that is over");
        exit(&mut channels, 2);
        exit(&mut channels, 0);
        assert_eq!((channels.current(), channels.shown().as_str()), (Some(1), "channel 1 (shell, over)"));
        open(&mut channels, 3, false);
        assert_eq!(channels.current(), Some(3));
    }

    #[test]
    fn the_channel_that_was_asked_for_stays() {
        let mut channels = Channels::new(Some(7));
        open(&mut channels, 0, true);
        assert_eq!((channels.current(), channels.shown().as_str()), (Some(7), "channel 7 (not opened yet)"));
    }

    #[test]
    fn a_device_that_opens_channels_without_end_costs_no_memory() {
        let mut channels = Channels::new(None);
        for number in 0..1000 {
            open(&mut channels, number, false);
        }
        assert_eq!((channels.all.len(), channels.current()), (MOST_CHANNELS, Some(999)));
    }
}
