//! `glovebox tenants`: limits and usage. Must never need RabbitMQ: everything about tenants is in Redis.

use std::process::ExitCode;

use glovebox_scheduler::{ClientError, Setting, Tenant, UsageOfDay, can_be_limited};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::args::{TenantSetArgs, TenantsCommand, TenantsUsageArgs};
use crate::queue::{block_on, client, client_failed};
use crate::report::{USAGE, note, print, table};

/// Runs the command.
pub(crate) fn run(command: TenantsCommand) -> ExitCode {
    match command {
        TenantsCommand::List(args) => block_on(list(None, args.json)),
        TenantsCommand::Show(args) => block_on(list(Some(args.tenant), args.json)),
        TenantsCommand::Set(args) => set(&args),
        TenantsCommand::Remove(args) => block_on(async {
            let removed = client().remove_tenant(&args.tenant).await;
            removed.map_or_else(|error| client_failed(&error), |()| ExitCode::SUCCESS)
        }),
        TenantsCommand::Usage(args) => block_on(usage(args)),
    }
}

async fn list(only: Option<String>, json: bool) -> ExitCode {
    let mut tenants = match client().tenants().await {
        Ok(tenants) => tenants,
        Err(error) => return client_failed(&error),
    };
    if let Some(name) = only {
        tenants.retain(|tenant| tenant.name == name);
        if tenants.is_empty() {
            note(&format!(
                "there is no tenant {name:?}: `glovebox tenants list` shows them"
            ));
            return ExitCode::from(USAGE);
        }
    }
    let text = match json {
        true => Value::from_iter(tenants.iter().map(document)).to_string(),
        false => {
            let mut table = table([
                "tenant",
                "running",
                "max_running",
                "queued",
                "max_queued",
                "rate",
                "burst",
            ]);
            for tenant in &tenants {
                let [running, queued, rate, burst] = tenant.limits.map(limit);
                // Without a limit they are not counted.
                let waiting = match tenant.limits[1] {
                    Some(_) => tenant.queued.to_string(),
                    None => String::new(),
                };
                table.add_row([
                    tenant.name.clone(),
                    tenant.running.to_string(),
                    running,
                    waiting,
                    queued,
                    rate,
                    burst,
                ]);
            }
            table.to_string()
        }
    };
    print(format!("{text}\n").as_bytes());
    ExitCode::SUCCESS
}

fn limit(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(0.0) => "none".to_owned(),
        Some(value) => value.to_string(),
    }
}

fn document(tenant: &Tenant) -> Value {
    let limits = Setting::ALL.iter().zip(tenant.limits);
    let limits = limits.map(|(setting, value)| (setting.name().to_owned(), json!(value)));
    json!({
        "name": tenant.name,
        "running": tenant.running,
        "queued": tenant.queued,
        "limits": Map::from_iter(limits),
    })
}

fn set(args: &TenantSetArgs) -> ExitCode {
    if !can_be_limited(&args.tenant) {
        note(&format!(
            "{:?} can't name a tenant: 1 to 64 letters, digits, '_', '.' or '-', or `*` for all",
            args.tenant
        ));
        return ExitCode::from(USAGE);
    }
    let written = [&args.max_running, &args.max_queued, &args.rate, &args.burst];
    let mut limits = Vec::new();
    for (setting, written) in Setting::ALL.into_iter().zip(written) {
        let Some(written) = written else { continue };
        let Some(value) = value(setting, written) else {
            note(&format!(
                "{} {written:?}: a number above 0, `none`, or `default` for what holds for all",
                setting.name()
            ));
            return ExitCode::from(USAGE);
        };
        limits.push((setting, value));
    }
    if limits.is_empty() {
        note("nothing to set: give --max-running, --max-queued, --rate or --burst");
        return ExitCode::from(USAGE);
    }
    block_on(async {
        let set: Result<(), ClientError> = client().set_limits(&args.tenant, &limits).await;
        set.map_or_else(|error| client_failed(&error), |()| ExitCode::SUCCESS)
    })
}

/// The value as written: `Some(None)` takes the tenant's own away.
fn value(setting: Setting, written: &str) -> Option<Option<f64>> {
    match written {
        "none" => Some(Some(0.0)),
        "default" => Some(None),
        _ => {
            let value: f64 = written.parse().ok()?;
            let is_whole = setting == Setting::Rate || value.fract() == 0.0;
            (is_whole && value > 0.0 && value <= 1e9).then_some(Some(value))
        }
    }
}

async fn usage(args: TenantsUsageArgs) -> ExitCode {
    let now = Timestamp::now();
    let day = |back: u16| {
        let then = now.checked_sub(SignedDuration::from_hours(24 * i64::from(back)));
        then.unwrap_or(now).strftime("%F").to_string()
    };
    let days: Vec<String> = (0..args.days).rev().map(day).collect();
    let used = match client().usage(&args.tenants, &days).await {
        Ok(used) => used,
        Err(error) => return client_failed(&error),
    };
    let text = match args.json {
        true => Value::from_iter(used.iter().map(record)).to_string(),
        false => {
            let mut table = table([
                "tenant",
                "day",
                "jobs",
                "in cells, s",
                "processor, s",
                "memory, GiB s",
                "results, MiB",
            ]);
            for one in &used {
                let of = |amount: u64, unit: f64| format!("{:.3}", amount as f64 / unit);
                table.add_row([
                    one.tenant.clone(),
                    one.day.clone(),
                    one.jobs.to_string(),
                    of(one.wall_us, 1e6),
                    of(one.cpu_us, 1e6),
                    of(one.memory_mib_ms, 1024.0 * 1e3),
                    of(one.result_bytes, f64::from(1 << 20)),
                ]);
            }
            table.to_string()
        }
    };
    print(format!("{text}\n").as_bytes());
    ExitCode::SUCCESS
}

fn record(one: &UsageOfDay) -> Value {
    json!({
        "tenant": one.tenant,
        "day": one.day,
        "jobs": one.jobs,
        "wall_us": one.wall_us,
        "cpu_us": one.cpu_us,
        "memory_mib_ms": one.memory_mib_ms,
        "result_bytes": one.result_bytes,
    })
}
