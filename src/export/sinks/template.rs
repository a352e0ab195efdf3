//! Bodies as users want them: Jinja templates over the alert's fields (minijinja), `{{ why | tojson }}` for JSON.

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

/// The one template of an environment.
const NAME: &str = "template";

/// A template that was read.
pub(super) struct Template(Environment<'static>);

impl Template {
    /// Reads a template and tries it on a made-up alert, so that a misspelt field is found before it is needed.
    ///
    /// # Errors
    /// One sentence, with the line of the template.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| format!("template: {error}"))?;
        let template = Self(environment);
        let sample = crate::alert::sample(
            crate::kind::AlertKind::SynFlood,
            crate::kind::Verdict::Attack,
            "example",
            crate::time::Timestamp::from_secs(1_617_699_600),
        );
        for alert in sample {
            let line = alert.to_json().map_err(|error| error.to_string())?;
            template.fill(&line).map_err(|error| {
                format!(
                    "{error}; on `{}` some fields are not there: write {{{{ ended_at | default(\"\") }}}}",
                    alert.event
                )
            })?;
        }
        Ok(template)
    }

    /// Fills it with the fields of an alert line.
    ///
    /// # Errors
    /// One sentence, when a field is not there.
    pub(super) fn fill(&self, line: &str) -> Result<String, String> {
        let fields: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let template = self.0.get_template(NAME).map_err(|error| format!("template: {error}"))?;
        template
            .render(minijinja::Value::from(minijinja::value::Serde(fields)))
            .map_err(|error| format!("template: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::samples;
    use super::*;

    #[test]
    fn fields_of_the_alert_fill_the_template() {
        let text = r#"{"text": {{ why | tojson }}, "at": "{{ target.site }}"{% if ended_at is defined %}, "over": true{% endif %}}"#;
        let template = Template::read(text).unwrap();
        let filled: Vec<Value> =
            samples::lines().iter().map(|line| serde_json::from_str(&template.fill(line).unwrap()).unwrap()).collect();
        assert_eq!(filled[0]["at"], "example");
        assert_eq!((&filled[0]["over"], &filled[filled.len() - 1]["over"]), (&Value::Null, &Value::Bool(true)));
    }

    #[test]
    fn a_misspelt_field_is_found_when_the_template_is_read() {
        let wrong = Template::read("one\n{{ wy }}").err().unwrap();
        assert!(wrong.contains("line 2") || wrong.contains(":2"), "{wrong}");
        assert!(Template::read("{{ why").is_err());
        assert!(Template::read("{{ ended_at }}").err().unwrap().contains("default"));
    }
}
