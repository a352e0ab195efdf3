//! The description of the HTTP interface as a page: what a program may ask for, and what the fields of the answers mean.
//!
//! It is made from the OpenAPI 3.1 document that is served beside it, with the style of the live page and without a
//! script, so that what people read and what programs read cannot differ. Swagger UI and its like were considered: they
//! are scripts of a megabyte, and read the document in the browser. Of JSON Schema only what the document uses is
//! written out; a keyword beyond that fails a test.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::alert::text::Language;
use crate::report::live::LIVE_STYLE;
use crate::report::page::{Escaped, Page, STYLE};

/// Writes the page of an OpenAPI 3.1 document; what the document lacks is left out.
#[must_use]
pub fn page(document: &Value) -> String {
    let mut page = Page::new(Language::English, String::new());
    page.api_head(document);
    page.access(document);
    for (path, operations) in entries(&document["paths"]) {
        for (method, operation) in entries(operations) {
            page.operation(path, method, operation, document);
        }
    }
    page.put("<h2>Fields</h2>");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        page.schema(name, schema);
    }
    page.put("</main></body></html>\n");
    page.out
}

impl Page {
    fn api_head(&mut self, document: &Value) {
        let info = &document["info"];
        let title = format!("{}: the HTTP interface", text(&info["title"]));
        let _ = write!(
            self.out,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{0}</title><style>{STYLE}{LIVE_STYLE}</style></head>\
             <body><main class=\"live api\"><header><p class=\"brand\">{1}</p><h1>The HTTP interface</h1>\
             <p class=\"sub\">{2} Version {3} of the interface.</p></header>\
             <p>{4}</p><nav class=\"controls\"><a href=\"/\">Live page</a> \
             <a href=\"/api/v1/openapi.json\">The same for programs (OpenAPI {5})</a></nav>",
            Escaped(&title),
            Escaped(text(&info["title"])),
            Escaped(text(&info["summary"])),
            Escaped(text(&info["version"])),
            Escaped(text(&info["description"])),
            Escaped(text(&document["openapi"])),
        );
    }

    /// Writes the ways to prove who one is.
    fn access(&mut self, document: &Value) {
        self.section("access", "Who may read");
        let schemes = entries(&document["components"]["securitySchemes"]);
        let rows: Vec<_> = schemes
            .map(|(name, scheme)| {
                (
                    name.to_owned(),
                    format!("Authorization: {}. {}", text(&scheme["scheme"]), text(&scheme["description"])),
                )
            })
            .collect();
        self.rows("", &rows);
        self.put("</section>");
    }

    fn operation(&mut self, path: &str, method: &str, operation: &Value, document: &Value) {
        let id = text(&operation["operationId"]);
        let _ = write!(
            self.out,
            "<section id=\"{0}\" aria-labelledby=\"{0}-title\"><h2 id=\"{0}-title\"><code>{1} <a href=\"{2}\">{2}</a></code>\
             </h2>",
            Escaped(id),
            Escaped(&method.to_uppercase()),
            Escaped(path),
        );
        self.text("p", text(&operation["summary"]));
        let parameters: Vec<_> = items(&operation["parameters"]).collect();
        if !parameters.is_empty() {
            self.table("fields", &["Parameter", "Values", "Meaning"]);
            for parameter in parameters {
                let (name, values) = (text(&parameter["name"]), self::values(&parameter["schema"]));
                self.cells(&[format!("<code>{}</code>", Escaped(name)), values, escaped(&parameter["description"])]);
            }
            self.end_table();
        }
        self.table("fields", &["Answer", "Meaning", "Content"]);
        for (code, response) in entries(&operation["responses"]) {
            let response = resolved(response, document);
            let content: Vec<_> = entries(&response["content"])
                .map(|(kind, content)| format!("<code>{}</code> {}", Escaped(kind), values(&content["schema"])))
                .collect();
            self.cells(&[escaped_text(code), escaped(&response["description"]), content.join("<br>")]);
        }
        self.end_table();
        self.put("</section>");
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        let _ = write!(
            self.out,
            "<section id=\"schema-{0}\" aria-labelledby=\"schema-{0}-title\"><h3 id=\"schema-{0}-title\">{0}</h3>",
            Escaped(name)
        );
        self.text("p", text(&schema["description"]));
        if schema["properties"].is_object() {
            self.table("fields", &["Field", "Value", "Meaning"]);
            for (field, inner) in entries(&schema["properties"]) {
                let always = items(&schema["required"]).any(|required| required == field);
                let there = if always { "" } else { " <small>may be absent</small>" };
                let (values, meaning) = (values(inner), escaped(&inner["description"]));
                self.cells(&[format!("<code>{}</code>{there}", Escaped(field)), values, meaning]);
            }
            self.end_table();
        } else {
            let _ = write!(self.out, "<p class=\"note\">{}</p>", values(schema));
        }
        self.put("</section>");
    }

    /// Writes a row of cells that are markup.
    fn cells(&mut self, cells: &[String]) {
        self.put("<tr>");
        for cell in cells {
            let _ = write!(self.out, "<td>{cell}</td>");
        }
        self.put("</tr>");
    }
}

/// Writes as markup what values a schema allows.
fn values(schema: &Value) -> String {
    if let Some(pointer) = schema["$ref"].as_str() {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        return format!("<a href=\"#schema-{0}\">{0}</a>", Escaped(name));
    }
    if let Some(constant) = schema.get("const") {
        return literal(constant);
    }
    if schema["enum"].is_array() {
        return items(&schema["enum"]).map(literal).collect::<Vec<_>>().join(", ");
    }
    if schema["anyOf"].is_array() {
        return items(&schema["anyOf"]).map(values).collect::<Vec<_>>().join(" or ");
    }
    let kinds: Vec<_> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(|kind| kind_of(text(kind), schema)).collect(),
        kind => vec![kind_of(text(kind), schema)],
    };
    format!("{}{}", kinds.join(" or "), bounds(schema))
}

fn kind_of(kind: &str, schema: &Value) -> String {
    match kind {
        "array" => format!("list of {}", values(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object, its values {}", values(&schema["additionalProperties"]))
        }
        kind => escaped_text(kind),
    }
}

/// Says between what a value lies, or what it looks like.
fn bounds(schema: &Value) -> String {
    let mut text = match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    };
    if let Some(most) = schema.get("maxItems") {
        let _ = write!(text, ", at most {most}");
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let _ = write!(text, " like <code>{}</code>", Escaped(pattern));
    }
    text
}

/// Writes a value as it stands in an answer, strings without their quotation marks.
fn literal(value: &Value) -> String {
    let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("<code>{}</code>", Escaped(&written))
}

/// Follows a reference within the document.
fn resolved<'a>(value: &'a Value, document: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escaped(value: &Value) -> String {
    escaped_text(text(value))
}

fn escaped_text(text: &str) -> String {
    Escaped(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_says_which_values_it_allows() {
        for (schema, said) in [
            (json!({"$ref": "#/components/schemas/Time"}), "<a href=\"#schema-Time\">Time</a>"),
            (json!({"const": "vigie.alert/1"}), "<code>vigie.alert/1</code>"),
            (json!({"enum": ["open", null]}), "<code>open</code>, <code>null</code>"),
            (json!({"anyOf": [{"$ref": "#/x/Home"}, {"type": "null"}]}), "<a href=\"#schema-Home\">Home</a> or null"),
            (json!({"type": ["number", "null"]}), "number or null"),
            (json!({"type": "number", "minimum": 0, "maximum": 1}), "number, 0 to 1"),
            (json!({"type": "integer", "minimum": 0}), "integer, at least 0"),
            (json!({"type": "array", "items": {"type": "string"}, "maxItems": 10}), "list of string, at most 10"),
            (json!({"type": "object", "additionalProperties": {"type": "number"}}), "object, its values number"),
            (json!({"type": "string", "pattern": "^<a>$"}), "string like <code>^&lt;a&gt;$</code>"),
        ] {
            assert_eq!(values(&schema), said, "{schema}");
        }
    }

    #[test]
    fn what_a_document_lacks_is_left_out_and_nothing_of_it_is_markup() {
        let page = page(&json!({"info": {"title": "<i>"}, "paths": {"/a&b": {"get": {"summary": "<script>"}}}}));
        assert!(page.contains("&lt;i&gt;: the HTTP interface") && page.contains("GET <a href=\"/a&amp;b\">"), "{page}");
        assert!(!page.contains("<script") && !page.contains("<i>"), "{page}");
    }
}
