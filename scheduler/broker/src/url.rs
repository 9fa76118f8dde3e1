//! Server URLs in a form that may be shown.
//!
//! It must never return the password, nor anything of a URL it cannot take
//! apart: what it does not understand could be the secret.

/// `amqp://user:secret@host/vhost` as `amqp://user@host/vhost`.
///
/// Query parameters are left out as well. Of text that is no URL nothing is shown.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "(not a URL)".to_owned();
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    // A password may hold a raw `/` or `@`: the host begins after the last `@`.
    let (user_info, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    match user_info
        .split_once(':')
        .map_or(user_info, |(user, _)| user)
    {
        "" => format!("{scheme}://{place}"),
        user => format!("{scheme}://{user}@{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn the_password_is_gone_and_the_place_is_kept() {
        for (url, shown) in [
            ("amqp://u:s3cret@h:5672/%2f", "amqp://u@h:5672/%2f"),
            ("amqp://u:s3/cr@et@h/v", "amqp://u@h/v"),
            ("redis://:s3cret@h:6379/0", "redis://h:6379/0"),
            ("redis://h:6379/0", "redis://h:6379/0"),
            ("amqp://u:x@h/v?password=s3cret", "amqp://u@h/v"),
            ("u:s3cret@h", "(not a URL)"),
            ("", "(not a URL)"),
        ] {
            assert_eq!(without_password(url), shown, "{url}");
        }
    }
}
