//! Chats that take what Slack takes: Slack, Mattermost, Rocket.Chat, and Discord under `/slack`.

use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::receiver::{Message, Receiver, Refusal};
use super::settings;
use super::told::Told;
use crate::alert::Event;

/// How many sentences of evidence a message carries: it is to be read on a telephone.
const SENTENCES: usize = 3;

/// A chat.
pub(super) struct Slack {
    client: Client,
    link: Option<String>,
}

impl Slack {
    /// Prepares to send.
    ///
    /// # Errors
    /// One sentence: what is wrong with the address.
    pub(super) fn open(to: &settings::Slack) -> Result<Self, String> {
        Ok(Self { client: Client::open(&to.http, "")?, link: to.link.clone() })
    }
}

impl Receiver for Slack {
    fn send(&mut self, message: &Message<'_>, limit: Duration) -> Result<(), Refusal> {
        let body = json!({ "text": text(message.told, self.link.as_deref()) }).to_string();
        self.client.post(body.as_bytes(), &[("content-type", "application/json")], limit)
    }
}

/// Writes a message in Slack's own markup.
fn text(told: &Told, link: Option<&str>) -> String {
    let event = match told.event {
        Event::Open => "opens",
        Event::Update => "is now",
        Event::Close => "is over",
    };
    let place = escape(&told.place());
    let mut lines = vec![format!("*{}* {} at {place} {event}", told.severity, told.kind), escape(&told.why)];
    if told.event == Event::Open {
        lines.extend(told.evidence.iter().take(SENTENCES).map(|sentence| format!("• {}", escape(sentence))));
    }
    lines.extend(link.map(|link| format!("<{link}|Look at it>")));
    lines.join("\n")
}

/// Escapes the three characters that Slack reads as markup of its own (api.slack.com, "Formatting text").
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::told::samples;
    use super::*;

    #[test]
    fn a_message_says_what_where_and_why() {
        let open = text(&samples::open(), Some("https://vigie.example/"));
        let lines: Vec<&str> = open.lines().collect();
        assert_eq!(lines[0], "*warning* syn_flood at example (192.0.2.10/32) opens");
        assert_eq!(lines[1], samples::open().why);
        assert!(lines[2].starts_with("• "), "{open}");
        assert_eq!(lines.last(), Some(&"<https://vigie.example/|Look at it>"));
        let close = text(&samples::close(), None);
        assert_eq!(close.lines().count(), 2, "{close}");
    }

    #[test]
    fn what_slack_would_read_as_markup_is_escaped() {
        let told = Told { why: "a <b> & c".to_owned(), ..samples::close() };
        assert!(text(&told, None).ends_with("a &lt;b&gt; &amp; c"));
    }
}
