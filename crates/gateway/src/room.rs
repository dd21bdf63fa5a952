//! How many connections there may be: in all, and from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use platform::server::ClientAddress;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for connections.
#[derive(Debug)]
pub(crate) struct Room {
    all: Arc<Semaphore>,
    by_network: Arc<Mutex<HashMap<IpAddr, u64>>>,
    max_per_network: u64,
}

/// A connection's place in it, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    network: Option<NetworkPlace>,
}

#[derive(Debug)]
struct NetworkPlace {
    network: IpAddr,
    by_network: Arc<Mutex<HashMap<IpAddr, u64>>>,
}

impl Room {
    pub(crate) fn new(max: u64, max_per_network: u64) -> Self {
        let max = usize::try_from(max).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { all: Arc::new(Semaphore::new(max)), by_network: Arc::default(), max_per_network }
    }

    /// Waits for room for one more.
    pub(crate) async fn wait(&self) -> Option<Place> {
        let permit = self.all.clone().acquire_owned().await.ok()?;
        Some(Place { _permit: permit, network: None })
    }

    /// Counts a connection as one of its address; nothing where that one has enough.
    pub(crate) fn count(&self, mut place: Place, address: IpAddr) -> Option<Place> {
        let network = ClientAddress(address.to_canonical()).network();
        let mut by_network = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_network.entry(network).or_default();
        if *count >= self.max_per_network {
            return None;
        }
        *count += 1;
        place.network = Some(NetworkPlace { network, by_network: self.by_network.clone() });
        Some(place)
    }
}

impl Drop for NetworkPlace {
    fn drop(&mut self) {
        let mut by_network = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_network.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_so_many_places_and_gets_them_back() {
        let room = Room::new(100, 2);
        let address: IpAddr = "203.0.113.5".parse().unwrap();
        let held: Vec<_> = [room.wait().await, room.wait().await]
            .into_iter()
            .map(|place| room.count(place.unwrap(), address).unwrap())
            .collect();
        assert!(room.count(room.wait().await.unwrap(), address).is_none());
        assert!(room.count(room.wait().await.unwrap(), "203.0.113.6".parse().unwrap()).is_some());
        drop(held);
        assert!(room.by_network.lock().unwrap().is_empty(), "nothing is kept of those who left");
        assert!(room.count(room.wait().await.unwrap(), address).is_some());
    }
}
