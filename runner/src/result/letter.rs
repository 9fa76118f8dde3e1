//! A result on its way to the store, as one runner's process wrote it, with what its tenant is to be charged.

use glovebox_schemas::job::JobId;
use glovebox_schemas::result::JobResult;

/// One result.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) id: JobId,
    pub(crate) tenant: String,
    pub(crate) attempt: u32,
    pub(crate) runner: String,
    pub(crate) instance: String,
    pub(crate) status: &'static str,
    pub(crate) document: Vec<u8>,
    /// The day that it is counted for (UTC).
    pub(crate) day: String,
    /// What it adds to that day.
    pub(crate) used: [(&'static str, u64); 5],
}

impl Letter {
    pub(crate) fn new(result: &JobResult, tenant: &str, instance: &str) -> Letter {
        let document = result.to_json();
        let usage = result.usage.unwrap_or_default();
        let compiler = result.compile.as_ref();
        let compiler = compiler.and_then(|ran| ran.usage).unwrap_or_default();
        let wall_ms = usage.wall_ms + compiler.wall_ms;
        let cpu_ms = [usage, compiler].map(|one| one.cpu_user_ms + one.cpu_system_ms);
        let mib_ms = [usage, compiler].map(|one| {
            let bytes = one.memory_peak_bytes as f64;
            bytes / f64::from(1 << 20) * one.wall_ms
        });
        let finished = result.times.finished_at;
        Letter {
            id: result.id.clone(),
            tenant: tenant.to_owned(),
            attempt: result.attempt,
            runner: result.runner.clone(),
            instance: instance.to_owned(),
            status: result.status.as_str(),
            day: finished
                .unwrap_or_else(jiff::Timestamp::now)
                .strftime("%F")
                .to_string(),
            used: [
                ("jobs", 1),
                ("wall_us", whole(wall_ms * 1000.0)),
                ("cpu_us", whole(cpu_ms.iter().sum::<f64>() * 1000.0)),
                ("memory_mib_ms", whole(mib_ms.iter().sum())),
                ("result_bytes", document.len() as u64),
            ],
            document,
        }
    }
}

/// Millions of years are more than enough.
fn whole(amount: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(amount.round()).map_or(0, |amount| amount.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_schemas::result::{Status, Usage};

    #[test]
    fn a_tenant_is_charged_for_what_the_result_says() {
        let mut result = JobResult::new(JobId::new_v7(), Status::Failed, "r");
        result.usage = Some(Usage {
            wall_ms: 100.5,
            cpu_user_ms: 20.25,
            cpu_system_ms: 1.0,
            memory_peak_bytes: 2 << 20,
            processes_peak: 1,
        });
        result.times.finished_at = Some(jiff::Timestamp::UNIX_EPOCH);
        let letter = Letter::new(&result, "acme", "i");
        assert_eq!(letter.day, "1970-01-01");
        let bytes = letter.document.len() as u64;
        let expected = [
            ("jobs", 1),
            ("wall_us", 100_500),
            ("cpu_us", 21_250),
            ("memory_mib_ms", 201),
            ("result_bytes", bytes),
        ];
        assert_eq!(letter.used, expected);
    }
}
