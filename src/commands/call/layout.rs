//! A layout of dispatch calls as a form. Pure. A form holds five inputs, so the required fields come first and the rest is mentioned.

use std::collections::BTreeMap;

use serde_json::Value;
use serenity::all::CreateModal;

use crate::cad::rest::{Template, TemplateField};
use crate::commands::forms::{FormValues, Input, LABEL};
use crate::commands::wording::and;
use crate::render::text::{self, SafeText, safe};

/// Inputs of a form.
const MAX_INPUTS: usize = 5;
/// Longest id of an input (UTF-16 units).
const MAX_ID_LENGTH: usize = 100;
/// Parts of the names of field types that are typed into: the CAD documents no list of them.
const TYPED: [&str; 9] = ["text", "input", "string", "number", "select", "dropdown", "status", "address", "postal"];

/// The part of a layout that a form can ask for.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    template: &'a Template,
    asked: Vec<&'a TemplateField>,
    left: Vec<&'a TemplateField>,
}

/// A number that changes with the layout.
pub(super) fn version(template: &Template) -> i64 {
    template.version.unwrap_or(0)
}

fn name(field: &TemplateField) -> SafeText {
    text::plain(text::visible(field.label.as_deref()).unwrap_or(&field.uid), LABEL)
}

fn can_be_typed(field: &TemplateField) -> bool {
    let kind = field.kind.as_deref().unwrap_or("text").to_lowercase();
    TYPED.iter().any(|part| kind.contains(part)) || !field.options.is_empty()
}

fn is_status(field: &TemplateField) -> bool {
    field.binding.as_deref() == Some("status")
}

impl<'a> Layout<'a> {
    /// The first fields that fit, the required ones first; else a sentence.
    pub(super) fn of(template: &'a Template) -> Result<Self, SafeText> {
        let usable = |field: &&TemplateField| !field.locked && !field.uid.is_empty();
        let all = || template.sections.iter().flat_map(|section| &section.fields).filter(usable);
        let fits = |field: &TemplateField| can_be_typed(field) && text::units(&field.uid) <= MAX_ID_LENGTH;
        let (typed, other): (Vec<&TemplateField>, Vec<&TemplateField>) = all().partition(|field| fits(field));
        if let Some(field) = other.iter().find(|field| field.required) {
            return Err(safe!(
                "This layout wants {}, which cannot be typed into a form: make this call in the CAD.",
                text::line(&name(field), 60)
            ));
        }
        let (required, optional): (Vec<_>, Vec<_>) = typed.into_iter().partition(|field| field.required);
        if required.len() > MAX_INPUTS {
            return Err(safe!(
                "This layout wants {} fields, and a form has room for {}: make this call in the CAD, or choose another layout.",
                required.len(),
                MAX_INPUTS
            ));
        }
        let mut asked: Vec<&TemplateField> = required.into_iter().chain(optional).collect();
        let mut left = asked.split_off(asked.len().min(MAX_INPUTS));
        left.extend(other);
        if asked.is_empty() {
            return Err("This layout has no fields to type into: make this call in the CAD.".into());
        }
        Ok(Self { template, asked, left })
    }

    /// Labels of the fields left out.
    pub(super) fn left_out(&self) -> Vec<SafeText> {
        let mut left: Vec<SafeText> = self.left.iter().take(10).map(|field| text::line(&name(field), 60)).collect();
        if self.left.len() > left.len() {
            left.push(safe!("{} more", self.left.len() - left.len()));
        }
        left
    }

    /// A field's allowed values, in the words that people type.
    fn options(&self, field: &TemplateField) -> Vec<&'a str> {
        if is_status(field) {
            return self.template.statuses.iter().map(|status| status.label.as_deref().unwrap_or(&status.id)).collect();
        }
        let known = self.asked.iter().find(|known| known.uid == field.uid);
        known.map(|known| known.options.iter().map(String::as_str).collect()).unwrap_or_default()
    }

    /// The form.
    pub(super) fn form(&self, id: String, title: &str) -> CreateModal {
        let rows = self.asked.iter().map(|field| {
            let options = self.options(field);
            let hint = if options.is_empty() { field.placeholder.clone().unwrap_or_default() } else { options.join(" / ") };
            let long = field.kind.as_deref().is_some_and(|kind| kind.to_lowercase().contains("area"))
                || field.binding.as_deref() == Some("description");
            let (label, hint) = (name(field), text::plain(&hint, 100));
            let longest = if long { 900 } else { 200 };
            Input { id: &field.uid, label: &label, long, required: field.required, longest, placeholder: &hint, value: "" }.row()
        });
        CreateModal::new(id, text::plain(text::visible(Some(title)).unwrap_or("Call"), LABEL)).components(rows.collect())
    }

    /// The typed values in the CAD's form; else a sentence.
    pub(super) fn values(&self, typed: &FormValues) -> Result<BTreeMap<String, Value>, SafeText> {
        let mut values = BTreeMap::new();
        for field in &self.asked {
            let Some(value) = typed.get(&field.uid) else { continue };
            values.insert(field.uid.clone(), Value::String(self.value(field, value)?));
        }
        Ok(values)
    }

    fn value(&self, field: &TemplateField, typed: &str) -> Result<String, SafeText> {
        let same = |known: &str| known.trim().to_lowercase() == typed.to_lowercase();
        if is_status(field) {
            let status = self.template.statuses.iter().find(|status| same(&status.id) || status.label.as_deref().is_some_and(same));
            return status.map(|status| status.id.clone()).ok_or_else(|| self.none_of(field));
        }
        if field.options.is_empty() {
            return Ok(typed.to_owned());
        }
        field.options.iter().find(|option| same(option)).cloned().ok_or_else(|| self.none_of(field))
    }

    fn none_of(&self, field: &TemplateField) -> SafeText {
        let options: Vec<SafeText> = self.options(field).iter().take(10).map(|option| text::line(option, 40)).collect();
        safe!("{} must be one of {}: run the command again.", text::line(&name(field), 60), and(&options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cad::rest::{TemplateSection, TemplateStatus};

    fn field(uid: &str, required: bool) -> TemplateField {
        TemplateField {
            uid: uid.into(),
            kind: Some("text".into()),
            label: Some(uid.to_uppercase()),
            binding: None,
            required,
            locked: false,
            placeholder: None,
            options: Vec::new(),
        }
    }

    fn template(fields: Vec<TemplateField>) -> Template {
        let statuses = vec![TemplateStatus { id: "deployed".into(), label: Some("On its *way*".into()), status: Some(1) }];
        let sections = vec![TemplateSection { uid: None, label: None, fields }];
        Template { id: 1, name: Some("Fire".into()), version: Some(2), default: false, statuses, sections }
    }

    #[test]
    fn required_fields_come_first_and_the_rest_is_mentioned() {
        let mut fields: Vec<TemplateField> = (0..7).map(|n| field(&format!("f{n}"), n == 6)).collect();
        fields.push(TemplateField { locked: true, ..field("locked", true) });
        fields.push(TemplateField { kind: Some("units".into()), ..field("crew", false) });
        let template = template(fields);
        let layout = Layout::of(&template).unwrap();
        assert_eq!(layout.asked.iter().map(|field| field.uid.as_str()).collect::<Vec<_>>(), ["f6", "f0", "f1", "f2", "f3"]);
        assert_eq!(layout.left_out(), ["F4", "F5", "CREW"]);
    }

    #[test]
    fn what_no_form_can_hold_is_refused() {
        assert!(Layout::of(&template((0..6).map(|n| field(&format!("f{n}"), true)).collect())).unwrap_err().contains("wants 6 fields"));
        let units = TemplateField { kind: Some("units".into()), ..field("crew", true) };
        assert!(Layout::of(&template(vec![units])).unwrap_err().contains("wants CREW"));
        assert!(Layout::of(&template(Vec::new())).is_err());
    }

    #[test]
    fn choices_are_typed_in_peoples_words() {
        let choice = TemplateField { options: vec!["High".into(), "Low".into()], ..field("grade", true) };
        let status = TemplateField { binding: Some("status".into()), ..field("state", false) };
        let template = template(vec![choice, status]);
        let layout = Layout::of(&template).unwrap();
        let [grade, state] = layout.asked[..] else { panic!() };
        assert_eq!(layout.value(grade, "hIGH"), Ok("High".into()));
        assert_eq!(layout.value(grade, "x"), Err("GRADE must be one of High and Low: run the command again.".into()));
        assert_eq!(layout.value(state, "on its *way*"), Ok("deployed".into()));
        assert_eq!(layout.value(state, "deployed"), Ok("deployed".into()));
        assert!(layout.value(state, "gone").unwrap_err().contains("On its \\*way\\*"));
    }
}
