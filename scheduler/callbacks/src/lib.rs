//! Callbacks: a signed POST to whoever wants to hear that a job is done, at least once.
//!
//! Runners put orders into the queue `glovebox.callbacks`; any number of these deliverers take them from there. What
//! fails waits in queues of the broker's, so nothing is lost with a process; what fails for good is a dead letter.
//!
//! Receivers are strangers: their addresses are checked by the gate, their words are read no further than the status,
//! and each has a bounded share of time and places. Must never follow a redirect, log a URL's path, a header or a
//! key, or acknowledge an order before it is delivered, waiting again or a dead letter.
//!
//! The rooms: `consume` has the connection and the consumer; `deliver` decides what becomes of an order; `post` makes
//! the one request; `answer` judges it; `schedule` says when the next is due; `letters` writes what goes back to the
//! broker; `keys` signs; `places` keeps one receiver from taking all.

mod answer;
mod consume;
mod deliver;
mod keys;
mod letters;
mod places;
mod post;
mod schedule;
mod tls;

pub use consume::{CallbacksConfig, CallbacksError, run};
pub use keys::{Keys, KeysError};
pub use places::Shares;
pub use post::Patience;
pub use schedule::Schedule;
pub use tls::AuthoritiesError;
