//! All connections: who they are from, what they do, who goes when there are too many.

use std::{collections::HashMap, net::IpAddr, sync::Arc, task::Waker, time::Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::config::ListenSettings;

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It sends the head of a request, or should.
    Head,
    /// So many requests are carried out, the last of them maybe still in its answer.
    Busy(u32),
    /// Its last request is over, and nothing has come since.
    Idle,
}

/// What a connection does, and since when.
#[derive(Debug)]
pub(super) struct Activity {
    now: Mutex<(Phase, Instant)>,
    /// Who reads, and has to look at the clock when the last request is over: nothing else may happen then.
    reader: Mutex<Option<Waker>>,
    evict: Notify,
}

impl Activity {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            now: Mutex::new((Phase::Head, Instant::now())),
            reader: Mutex::new(None),
            evict: Notify::new(),
        })
    }

    /// A request has come. It lasts as long as what is returned.
    pub fn begin(self: &Arc<Self>) -> Request {
        let mut now = self.now.lock();
        let requests = if let Phase::Busy(requests) = now.0 { requests } else { 0 };
        *now = (Phase::Busy(requests + 1), Instant::now());
        Request(self.clone())
    }

    /// Bytes have come. Those of a request that is carried out are its own affair.
    pub fn heard(&self) {
        let mut now = self.now.lock();
        if now.0 == Phase::Idle {
            *now = (Phase::Head, Instant::now());
        }
    }

    /// Whoever reads, and finds nothing, is woken when the last request is over.
    pub fn wait(&self, reader: &Waker) {
        let mut known = self.reader.lock();
        if known.as_ref().is_none_or(|known| !known.will_wake(reader)) {
            *known = Some(reader.clone());
        }
    }

    pub fn get(&self) -> (Phase, Instant) {
        *self.now.lock()
    }

    pub fn is_busy(&self) -> bool {
        matches!(self.get().0, Phase::Busy(_))
    }

    /// Returns when the connection has to go.
    pub async fn evicted(&self) {
        self.evict.notified().await;
    }

    /// Since when it waits, for one that has no request.
    fn waits_since(&self) -> Option<Instant> {
        let (phase, since) = self.get();
        (!matches!(phase, Phase::Busy(_))).then_some(since)
    }
}

/// A request that is carried out.
#[derive(Debug)]
pub(super) struct Request(Arc<Activity>);

impl Drop for Request {
    fn drop(&mut self) {
        let mut now = self.0.now.lock();
        if let Phase::Busy(requests @ 2..) = now.0 {
            now.0 = Phase::Busy(requests - 1);
            return;
        }
        *now = (Phase::Idle, Instant::now());
        drop(now);
        if let Some(reader) = self.0.reader.lock().take() {
            reader.wake();
        }
    }
}

/// All connections. A clone is the same table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    open: Arc<Mutex<Open>>,
    most: usize,
    per_address: usize,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    by_id: HashMap<u64, Entry>,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    activity: Arc<Activity>,
    /// It was told to go, and does not count any more.
    leaving: bool,
}

/// A place in the table, as long as it lives.
#[derive(Debug)]
pub(super) struct Connection {
    table: Table,
    id: u64,
    pub activity: Arc<Activity>,
}

impl Table {
    pub fn new(settings: &ListenSettings, descriptors: usize) -> Self {
        let most = settings.connections.min(descriptors).max(1);
        // One address alone never has all of them.
        let per_address = settings.connections_per_address.min(most - most / 4).max(1);
        Self { open: Arc::default(), most, per_address }
    }

    /// A place for a new connection. Where there is none, the one that has waited longest without a request goes for it;
    /// none when all have requests.
    ///
    /// Loopback has no limit of its own: proxies and programs of this machine share that address, and whoever is on the
    /// machine has other ways to disturb the server. IPv6 addresses count by their /64, of which one client has all.
    pub fn enter(&self, ip: IpAddr) -> Option<Connection> {
        let address = group(ip);
        let mut open = self.open.lock();
        let of_address = open.by_address.get(&address).copied().unwrap_or(0);
        if !ip.to_canonical().is_loopback() && of_address >= self.per_address && !open.evict(Some(address)) {
            return None;
        }
        let all: usize = open.by_address.values().sum();
        if all >= self.most && !open.evict(None) {
            return None;
        }
        open.last += 1;
        let (id, activity) = (open.last, Activity::new());
        open.by_id.insert(id, Entry { address, activity: activity.clone(), leaving: false });
        *open.by_address.entry(address).or_default() += 1;
        Some(Connection { table: self.clone(), id, activity })
    }

    /// One that has no request goes.
    pub fn make_room(&self) {
        self.open.lock().evict(None);
    }
}

impl Open {
    /// Tells the connection that has waited longest to go, of one address or of all.
    fn evict(&mut self, address: Option<IpAddr>) -> bool {
        let waiting = self
            .by_id
            .iter()
            .filter(|(_, entry)| !entry.leaving && address.is_none_or(|address| entry.address == address))
            .filter_map(|(id, entry)| Some((entry.activity.waits_since()?, *id)));
        let Some((_, id)) = waiting.min() else { return false };
        if let Some(entry) = self.by_id.get_mut(&id) {
            entry.leaving = true;
            entry.activity.evict.notify_one();
            let address = entry.address;
            self.forget(address);
        }
        true
    }

    fn forget(&mut self, address: IpAddr) {
        if let Some(count) = self.by_address.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.table.open.lock();
        if let Some(entry) = open.by_id.remove(&self.id)
            && !entry.leaving
        {
            open.forget(entry.address);
        }
    }
}

/// The address that a limit goes by.
fn group(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn table(most: usize, per_address: usize) -> Table {
        let settings =
            ListenSettings { connections: most, connections_per_address: per_address, ..ListenSettings::default() };
        Table::new(&settings, usize::MAX)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    async fn is_evicted(connection: &Connection) -> bool {
        tokio::time::timeout(Duration::from_millis(10), connection.activity.evicted()).await.is_ok()
    }

    #[tokio::test]
    async fn the_one_that_waits_longest_goes_and_one_with_a_request_stays() {
        let table = table(2, 9);
        let first = table.enter(ip("10.0.0.1")).expect("room");
        let second = table.enter(ip("10.0.0.2")).expect("room");
        let request = first.activity.begin();
        let third = table.enter(ip("10.0.0.3")).expect("the second goes");
        assert!(is_evicted(&second).await && !is_evicted(&first).await);
        drop(second);
        let other = third.activity.begin();
        assert!(table.enter(ip("10.0.0.4")).is_none(), "all have requests");
        drop((request, other));
        assert!(table.enter(ip("10.0.0.4")).is_some());
        assert!(is_evicted(&first).await);
    }

    #[tokio::test]
    async fn an_address_has_its_own_limit_but_for_loopback() {
        let table = table(100, 2);
        let mut held = Vec::new();
        for address in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "2001:db8::2"] {
            let connection = table.enter(ip(address)).expect("room");
            held.push((connection.activity.begin(), connection));
        }
        assert!(table.enter(ip("10.0.0.1")).is_none());
        assert!(table.enter(ip("2001:db8::3")).is_none(), "of the same network");
        assert!(table.enter(ip("10.0.0.2")).is_some());
        for _ in 0..20 {
            let connection = table.enter(ip("127.0.0.1")).expect("room");
            held.push((connection.activity.begin(), connection));
        }
        held.clear();
        assert!(table.open.lock().by_address.is_empty());
        assert!(table.open.lock().by_id.is_empty());
    }

    #[test]
    fn a_connection_is_busy_until_its_last_request_is_over() {
        let activity = Activity::new();
        let (one, two) = (activity.begin(), activity.begin());
        activity.heard();
        drop(one);
        assert!(activity.is_busy());
        drop(two);
        assert_eq!(activity.get().0, Phase::Idle);
        activity.heard();
        assert_eq!(activity.get().0, Phase::Head);
    }
}
