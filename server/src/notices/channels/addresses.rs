//! Where a webhook may lead: to addresses that anybody can reach, and to networks that the administrator named.
//!
//! A customer chooses the URL, the support centre makes the connection. So a URL must not lead to machines that trust the centre's
//! network. To the centre's own machine lead only URLs that say so in the open, and those only the administrator can set.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use lineman_common::session::is_loopback;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::Networks;

#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the webhook leads to {0}, an address inside a private network: the administrator can allow it with `[notices] networks`")]
    Private(IpAddr),
    #[error("the webhook's name has no address")]
    Nowhere,
    #[error("the webhook's URL names no host")]
    NoHost,
}

/// Resolves names, and lets through only what may be connected to.
#[derive(Clone)]
pub struct Guide {
    networks: Arc<Networks>,
}

impl Guide {
    pub fn new(networks: Networks) -> Self {
        Self { networks: Arc::new(networks) }
    }

    /// An address that stands in the URL itself is resolved by nobody.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().ok_or(Refused::NoHost)?.trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(ip) if !is_loopback(host) && !self.may(ip) => Err(Refused::Private(ip)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn may(&self, ip: IpAddr) -> bool {
        is_public(ip) || self.networks.contain(ip)
    }

    /// All of a name's addresses, if every one of them may be connected to.
    fn checked(&self, name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        let is_own = is_loopback(name);
        match found.iter().find(|address| !(self.may(address.ip()) || is_own && address.ip().is_loopback())) {
            Some(private) => Err(Refused::Private(private.ip())),
            None if found.is_empty() => Err(Refused::Nowhere),
            None => Ok(found),
        }
    }
}

impl Resolve for Guide {
    fn resolve(&self, name: Name) -> Resolving {
        let guide = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let checked: Addrs = Box::new(guide.checked(name.as_str(), found)?.into_iter());
            Ok(checked)
        })
    }
}

/// Can anybody reach it? By the registries of special addresses (RFC 6890): what is for one network only, or for documents, is not.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => carried(ip).map_or_else(|| is_public_v6(ip), is_public_v4),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_protocol = (a, b, c) == (192, 0, 0);
    let is_measuring = a == 198 && (b == 18 || b == 19);
    let is_relay = (a, b, c) == (192, 88, 99);
    !(a == 0
        || a >= 224
        || ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_documentation()
        || is_shared
        || is_protocol
        || is_measuring
        || is_relay)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    // Only 2000::/3 is given out; of that, not what is for documents and protocols.
    (0x2000..0x4000).contains(&first) && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8)) && first != 0x3fff
}

/// The IPv4 address that an IPv6 address leads to: mapped (RFC 4291), behind a translator (RFC 6052), or through 6to4 (RFC 3056).
fn carried(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_anybody_can_reach_is_public() {
        for public in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.2.1",
            "192.0.0.8",
            "198.18.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "::7f00:1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn a_name_must_lead_nowhere_private_at_all() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let guide = Guide::new(Networks::default());
        assert!(guide.checked("hook.example.net", vec![at("8.8.8.8")]).is_ok());
        // One private address among public ones is what a rebinding name would say.
        let error = guide.checked("hook.example.net", vec![at("8.8.8.8"), at("10.0.0.7")]).unwrap_err().to_string();
        assert!(error.contains("10.0.0.7") && error.contains("networks"), "{error}");
        assert!(matches!(guide.checked("hook.example.net", vec![at("127.0.0.1")]), Err(Refused::Private(_))));
        assert!(matches!(guide.checked("hook.example.net", Vec::new()), Err(Refused::Nowhere)));
        assert!(guide.checked("localhost", vec![at("127.0.0.1"), at("::1")]).is_ok(), "only the administrator can set it");
        assert!(guide.checked("localhost", vec![at("10.0.0.7")]).is_err());
        let allowed = Guide::new("10.0.0.0/29".parse().unwrap());
        assert!(allowed.checked("hook.example.net", vec![at("10.0.0.7")]).is_ok());
        assert!(allowed.checked("hook.example.net", vec![at("10.0.0.8")]).is_err());
        for (url, may) in [
            ("https://10.0.0.7/x", true),
            ("https://10.0.0.8/x", false),
            ("https://[fd00::1]/x", false),
            ("https://[::ffff:10.0.0.8]/x", false),
            ("https://0x0a000008/x", false),
            ("http://127.0.0.1:9/x", true),
            ("https://8.8.8.8/x", true),
            ("https://hook.example.net/x", true),
        ] {
            assert_eq!(allowed.check(&Url::parse(url).unwrap()).is_ok(), may, "{url}");
        }
    }
}
