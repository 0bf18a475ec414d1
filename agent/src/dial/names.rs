//! From a host's name to its addresses, by the system's resolver, which may take its time.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// A resolver that needs longer is as good as none; what it said last is used then.
const PATIENCE: Duration = Duration::from_secs(2);

type Answer = Result<Vec<SocketAddr>, String>;

/// One host, and where it was found last.
pub struct Host {
    name: String,
    port: u16,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The question that is under way. There is never a second one: a resolver that hangs would otherwise take one thread after the other.
    asking: Option<watch::Receiver<Option<Answer>>>,
    /// What the resolver said last, the address that was reached last before the others.
    known: Vec<SocketAddr>,
}

impl Host {
    pub fn new(name: &str, port: u16) -> Self {
        Self { name: name.to_owned(), port, state: Mutex::default() }
    }

    /// No operation leaves the state half-changed, so a poisoned lock is safe.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses as they are now; those of the last time, where the resolver is silent or knows nothing.
    pub async fn addresses(&self) -> Result<Vec<SocketAddr>, String> {
        if let Ok(ip) = self.name.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, self.port)]);
        }
        let mut asking = self.ask().map_err(|error| error.to_string())?;
        let answer = match timeout(PATIENCE, asking.wait_for(Option::is_some)).await {
            Ok(Ok(answer)) => answer.clone().unwrap_or_else(|| Err("the resolver said nothing".into())),
            Ok(Err(_)) => Err("the resolver's thread died".into()),
            Err(_) => Err(format!("the resolver did not answer within {} s", PATIENCE.as_secs())),
        };
        let mut state = self.state();
        match answer {
            Ok(found) if !found.is_empty() => {
                state.known.clone_from(&found);
                Ok(found)
            }
            Ok(_) if state.known.is_empty() => Err("it has no address".into()),
            Err(why) if state.known.is_empty() => Err(why),
            Ok(_) | Err(_) => Ok(state.known.clone()),
        }
    }

    /// Without asking anybody, where that can be: the address that was reached last comes first.
    pub async fn near(&self) -> Result<Vec<SocketAddr>, String> {
        let known = self.state().known.clone();
        if known.is_empty() { self.addresses().await } else { Ok(known) }
    }

    /// This address was reached.
    pub fn reached(&self, address: SocketAddr) {
        let mut state = self.state();
        state.known.retain(|known| *known != address);
        state.known.insert(0, address);
    }

    fn ask(&self) -> io::Result<watch::Receiver<Option<Answer>>> {
        let mut state = self.state();
        if let Some(asking) = &state.asking
            && asking.borrow().is_none()
            && asking.has_changed().is_ok()
        {
            return Ok(asking.clone());
        }
        let (answer, asking) = watch::channel(None);
        let (name, port) = (self.name.clone(), self.port);
        // A thread of its own: a question can't be taken back, and must hold up neither the agent's few threads for files nor its end.
        thread::Builder::new().name("resolver".into()).spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect).map_err(|error| error.to_string());
            // Whoever asked may be gone.
            let _ = answer.send(Some(found));
        })?;
        state.asking = Some(asking.clone());
        Ok(asking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn addresses_need_no_resolver_and_names_do() {
        for (text, shown) in [("::1", "[::1]:7443"), ("127.0.0.1", "127.0.0.1:7443")] {
            assert_eq!(Host::new(text, 7443).addresses().await.unwrap()[0].to_string(), shown);
        }
        let local = Host::new("localhost", 1);
        assert!(local.addresses().await.unwrap().iter().all(|address| address.ip().is_loopback()));
        assert!(Host::new("centre.invalid", 1).addresses().await.is_err());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_was_reached_last_comes_first_and_stays_when_the_resolver_fails() {
        let host = Host::new("centre.invalid", 1);
        let (one, other): (SocketAddr, SocketAddr) = ("127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap());
        assert!(host.near().await.is_err());
        host.reached(one);
        host.reached(other);
        assert_eq!(host.near().await.unwrap(), [other, one]);
        assert_eq!(host.addresses().await.unwrap(), [other, one]);
        host.reached(one);
        assert_eq!(host.near().await.unwrap(), [one, other]);
    }
}
