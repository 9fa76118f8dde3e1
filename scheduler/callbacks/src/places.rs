//! Places for requests under way: a receiver that does not answer may not take them all.
//!
//! Whoever finds none does not wait here, where it would take up a place of the prefetch, but in the broker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many requests may be under way.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// In all.
    pub all: u16,
    /// To one host and port.
    pub host: u16,
    /// Of one tenant, who may name many hosts.
    pub tenant: u16,
}

impl Default for Shares {
    fn default() -> Shares {
        Shares {
            all: 64,
            host: 8,
            tenant: 32,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Host(String),
    Tenant(String),
}

/// The places that are taken.
#[derive(Clone)]
pub(crate) struct Places {
    shares: Shares,
    taken: Arc<Mutex<HashMap<Whose, u16>>>,
}

/// Taken until it is dropped.
pub(crate) struct Place {
    places: Places,
    whose: [Whose; 2],
}

impl Places {
    pub(crate) fn new(shares: Shares) -> Places {
        Places {
            shares,
            taken: Arc::default(),
        }
    }

    /// A place, if both have one left.
    pub(crate) fn take(&self, host: &str, tenant: &str) -> Option<Place> {
        let whose = [
            Whose::Host(host.to_owned()),
            Whose::Tenant(tenant.to_owned()),
        ];
        let mut taken = self.taken();
        let is_free = |whose: &Whose| {
            let most = match whose {
                Whose::Host(_) => self.shares.host,
                Whose::Tenant(_) => self.shares.tenant,
            };
            taken.get(whose).copied().unwrap_or_default() < most
        };
        if !whose.iter().all(is_free) {
            return None;
        }
        for whose in &whose {
            *taken.entry(whose.clone()).or_default() += 1;
        }
        drop(taken);
        Some(Place {
            places: self.clone(),
            whose,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Whose, u16>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        for whose in &self.whose {
            match taken.get_mut(whose) {
                Some(count @ 2..) => *count -= 1,
                // So that it does not grow with every host that was ever named.
                _ => drop(taken.remove(whose)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_and_one_tenant_have_their_share_and_no_more() {
        let places = Places::new(Shares {
            all: 9,
            host: 2,
            tenant: 3,
        });
        let first = places.take("a:80", "t");
        let held = [first, places.take("a:80", "t"), places.take("b:80", "t")];
        assert!(held.iter().all(Option::is_some));
        assert!(places.take("a:80", "u").is_none(), "the host is full");
        assert!(places.take("c:80", "t").is_none(), "the tenant is full");
        let other = places.take("c:80", "u");
        assert!(other.is_some());
        drop((held, other));
        assert!(places.taken().is_empty());
    }
}
