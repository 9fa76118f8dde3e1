//! Tenants: their limits, how much of them runs and waits, and what they have used.
//!
//! Everything is kept in Redis and obeyed from there: by clients when they mark a job, by runners when they begin one.
//! Must never be asked on the way of a job.

use std::collections::{BTreeSet, HashMap};

use glovebox_schemas::names::{
    ALL_TENANTS, DEFAULT_TENANT, ROUTES_KEY, TENANTS_KEY, lane_and_tenant, queued_key, rate_key,
    running_key, tenant_key, usage_key,
};

use crate::client::Client;
use crate::error::ClientError;
use crate::store::Doing;

/// A limit that can be set for a tenant, or for all that have none of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// How many jobs may run at one time, in the whole fleet.
    MaxRunning,
    /// How many jobs may wait in queues.
    MaxQueued,
    /// How many jobs may be submitted a second.
    Rate,
    /// How many of them at once, after a pause; as many as a second's if not set.
    Burst,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::MaxRunning, Self::MaxQueued, Self::Rate, Self::Burst];

    /// Its name, as in Redis.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxRunning => "max_running",
            Self::MaxQueued => "max_queued",
            Self::Rate => "rate",
            Self::Burst => "burst",
        }
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Tenant {
    /// Its name; `*` for all that have no limits of their own.
    pub name: String,
    /// Its own limits, in the order of [`Setting::ALL`]: 0 says that there is none, whatever holds for all.
    pub limits: [Option<f64>; 4],
    /// Jobs that run.
    pub running: u64,
    /// Jobs that wait; counted of those alone that have a limit on them.
    pub queued: u64,
}

/// What a tenant has used on one day (UTC).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageOfDay {
    /// The tenant.
    pub tenant: String,
    /// The day, as `2026-01-31`.
    pub day: String,
    /// Results.
    pub jobs: u64,
    /// Microseconds in cells.
    pub wall_us: u64,
    /// Microseconds of processor time.
    pub cpu_us: u64,
    /// Peak memory times time in cells, in MiB times milliseconds.
    pub memory_mib_ms: u64,
    /// Bytes of result documents.
    pub result_bytes: u64,
}

impl Client {
    /// All tenants that have limits, have used something, or sent jobs lately.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, ClientError> {
        let names = self.tenant_names().await?;
        let mut commands = redis::pipe();
        for name in &names {
            commands
                .hgetall(tenant_key(name))
                .hlen(running_key(name))
                .zcard(queued_key(name));
        }
        let found: Vec<redis::Value> = match names.is_empty() {
            true => Vec::new(),
            false => {
                let doing = Doing::of_none("reading the tenants");
                self.store.ask(doing, &commands).await?
            }
        };
        let each = names.into_iter().zip(found.chunks(3));
        Ok(each.map(|(name, found)| tenant(name, found)).collect())
    }

    /// Sets limits of a tenant, or of all that have none of their own (`*`): `Some(0)` says that there is none, `None`
    /// takes its own away.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn set_limits(
        &self,
        tenant: &str,
        limits: &[(Setting, Option<f64>)],
    ) -> Result<(), ClientError> {
        let key = tenant_key(tenant);
        let mut commands = redis::pipe();
        commands.atomic().sadd(TENANTS_KEY, tenant).ignore();
        for (setting, value) in limits {
            match value {
                Some(value) => commands.hset(&key, setting.name(), value.to_string()),
                None => commands.hdel(&key, setting.name()),
            }
            .ignore();
        }
        let doing = Doing::of_none("setting the limits of a tenant");
        self.store.ask(doing, &commands).await
    }

    /// Forgets the limits of a tenant and takes it off the list. Its jobs stay, and so does what it has used.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn remove_tenant(&self, tenant: &str) -> Result<(), ClientError> {
        let mut commands = redis::pipe();
        commands
            .atomic()
            .srem(TENANTS_KEY, tenant)
            .ignore()
            .del(tenant_key(tenant))
            .ignore()
            .del(rate_key(tenant))
            .ignore()
            .del(queued_key(tenant))
            .ignore();
        let doing = Doing::of_none("removing a tenant");
        self.store.ask(doing, &commands).await
    }

    /// What these tenants, or all if there are none, have used on these days; nothing of those that have used nothing.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn usage(
        &self,
        tenants: &[String],
        days: &[String],
    ) -> Result<Vec<UsageOfDay>, ClientError> {
        let tenants: Vec<String> = match tenants.is_empty() {
            true => self.tenant_names().await?.into_iter().collect(),
            false => tenants.to_vec(),
        };
        let pairs = tenants
            .iter()
            .flat_map(|tenant| days.iter().map(move |day| (tenant, day)));
        let pairs: Vec<(&String, &String)> = pairs.collect();
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = redis::pipe();
        for (tenant, day) in &pairs {
            commands.hgetall(usage_key(tenant, day));
        }
        let doing = Doing::of_none("reading what tenants have used");
        let found: Vec<HashMap<String, u64>> = self.store.ask(doing, &commands).await?;
        let each = pairs
            .into_iter()
            .zip(found)
            .filter(|(_, used)| !used.is_empty());
        Ok(each
            .map(|((tenant, day), used)| usage(tenant, day, &used))
            .collect())
    }

    async fn tenant_names(&self) -> Result<BTreeSet<String>, ClientError> {
        let mut commands = redis::pipe();
        commands.smembers(TENANTS_KEY).zrange(ROUTES_KEY, 0, -1);
        let doing = Doing::of_none("listing the tenants");
        let (mut names, routes): (BTreeSet<String>, Vec<String>) =
            self.store.ask(doing, &commands).await?;
        let routes = routes.iter().filter_map(|route| lane_and_tenant(route));
        names.extend(routes.map(|(_, tenant)| tenant.to_owned()));
        names.insert(DEFAULT_TENANT.to_owned());
        Ok(names)
    }
}

fn tenant(name: String, found: &[redis::Value]) -> Tenant {
    let limits = found.first().cloned().unwrap_or(redis::Value::Nil);
    let limits: HashMap<String, String> = redis::from_redis_value(limits).unwrap_or_default();
    let count = |at: usize| {
        let value = found.get(at).cloned().unwrap_or(redis::Value::Nil);
        redis::from_redis_value(value).unwrap_or_default()
    };
    Tenant {
        limits: Setting::ALL.map(|setting| limits.get(setting.name())?.parse().ok()),
        running: count(1),
        queued: count(2),
        name,
    }
}

fn usage(tenant: &str, day: &str, used: &HashMap<String, u64>) -> UsageOfDay {
    let amount = |name: &str| used.get(name).copied().unwrap_or_default();
    UsageOfDay {
        tenant: tenant.to_owned(),
        day: day.to_owned(),
        jobs: amount("jobs"),
        wall_us: amount("wall_us"),
        cpu_us: amount("cpu_us"),
        memory_mib_ms: amount("memory_mib_ms"),
        result_bytes: amount("result_bytes"),
    }
}

/// Whether limits can be set for this name.
#[must_use]
pub fn can_be_limited(tenant: &str) -> bool {
    tenant == ALL_TENANTS || glovebox_schemas::names::is_tenant(tenant)
}
