//! How far a job is, in words for people. Must never sound surer than the record it is read from.

use glovebox_scheduler::{JobState, Phase};

/// What is known of a job that has no result.
pub(crate) fn words(state: Option<&JobState>) -> String {
    let Some(state) = state else {
        return "nothing is known of this id".to_owned();
    };
    let runner = state.runner.as_deref().unwrap_or("a runner");
    let since = state.since.map_or(String::new(), |since| {
        format!(" since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"))
    });
    let attempt = state
        .attempt
        .map_or(String::new(), |attempt| format!(" (attempt {attempt})"));
    match &state.phase {
        Phase::Running if state.is_lost => {
            format!("was running on {runner}, which is lost; it will be delivered again")
        }
        Phase::Running => format!("running on {runner}{since}{attempt}"),
        Phase::Queued => format!("queued{since}"),
        // It came between two looks.
        Phase::Done => "done just now; ask again".to_owned(),
        Phase::Other(word) => word.clone(),
    }
}
