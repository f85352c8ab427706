//! What a reader of the daemon's lines knows: the devices that are present, folded from `add` and `remove`,
//! and whether the lines keep their rule.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The present devices according to the lines so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// By devpath.
    pub present: BTreeMap<String, Device>,
    /// Removals that left something below them present, as `removed: below`. The rule does not
    /// forbid them; tests that expect children to be removed first check this.
    pub parents_first: Vec<String>,
    /// The number of resets, after each of which a snapshot follows.
    pub resets: usize,
}

/// A present device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Empty if it has none.
    pub subsystem: String,
    /// Of the last line about it.
    pub properties: BTreeMap<String, String>,
}

impl Fold {
    /// Folds the lines of an output, and checks each.
    ///
    /// # Errors
    ///
    /// The first line that is no JSON or breaks the rule, and how.
    pub fn of(lines: &[String]) -> Result<Self, String> {
        let mut fold = Self::default();
        for (number, line) in lines.iter().enumerate() {
            let place = |error| format!("line {}: {error}", number + 1);
            let value = serde_json::from_str(line).map_err(|error| place(format!("{error}: {line}")))?;
            fold.take(&value).map_err(place)?;
        }
        Ok(fold)
    }

    /// Takes the next line. The rule: of each devpath, `add` and `remove` alternate, `add` comes first, and
    /// all other actions come between the two. Events that the daemon does not track are not under it.
    ///
    /// # Errors
    ///
    /// How the line breaks the rule, and the line; the fold is as it was before.
    pub fn take(&mut self, line: &Value) -> Result<(), String> {
        if line["kind"] == "reset" {
            self.present.clear();
            self.resets += 1;
        }
        if line["kind"] != "event" || line["properties"]["SUREPLUG_TRACKED"] == "no" {
            return Ok(());
        }
        let field = |key: &str| line[key].as_str().ok_or_else(|| format!("no {key}: {line}"));
        let (action, devpath) = (field("action")?, field("devpath")?);
        let is_present = self.present.contains_key(devpath);
        match (action, is_present) {
            ("add", true) => Err(format!("add of what is present: {line}")),
            (_, false) if action != "add" => Err(format!("{action} of what is not present: {line}")),
            ("remove", _) => {
                self.present.remove(devpath);
                let below = self.below(devpath).map(|below| format!("{devpath}: {below}"));
                let below: Vec<_> = below.collect();
                self.parents_first.extend(below);
                Ok(())
            }
            _ => {
                self.present.insert(devpath.into(), Device::of(line)?);
                Ok(())
            }
        }
    }

    /// The devpaths of a subsystem.
    #[must_use]
    pub fn devpaths(&self, subsystem: &str) -> BTreeSet<String> {
        let of_it = self.present.iter().filter(|(_, device)| device.subsystem == subsystem);
        of_it.map(|(devpath, _)| devpath.clone()).collect()
    }

    /// The names of a subsystem's devices, as directories like `/sys/class/net` list them.
    #[must_use]
    pub fn names(&self, subsystem: &str) -> BTreeSet<String> {
        let devpaths = self.devpaths(subsystem).into_iter();
        devpaths.filter_map(|devpath| Some(devpath.rsplit_once('/')?.1.to_owned())).collect()
    }

    fn below(&self, devpath: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{devpath}/");
        let from = self.present.range(prefix.clone()..).map(|(devpath, _)| devpath.as_str());
        from.take_while(move |devpath| devpath.starts_with(&prefix))
    }
}

impl Device {
    fn of(line: &Value) -> Result<Self, String> {
        let properties = line["properties"].as_object().ok_or_else(|| format!("no properties: {line}"))?;
        let properties = properties.iter().map(|(key, value)| {
            let value = value.as_str().ok_or_else(|| format!("{key} is no text: {line}"))?;
            Ok((key.clone(), value.to_owned()))
        });
        Ok(Self {
            subsystem: line["subsystem"].as_str().unwrap_or_default().to_owned(),
            properties: properties.collect::<Result<_, String>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use serde_json::{Value, json};

    use super::Fold;

    fn event(action: &str, devpath: &str) -> Value {
        json!({
            "kind": "event", "action": action, "devpath": devpath, "subsystem": "net",
            "properties": {"SUREPLUG_ORIGIN": "kernel"},
        })
    }

    fn untracked(action: &str, devpath: &str) -> Value {
        let mut event = event(action, devpath);
        event["properties"]["SUREPLUG_TRACKED"] = "no".into();
        event
    }

    fn fold(lines: &[Value]) -> Result<Fold, String> {
        Fold::of(&lines.iter().map(Value::to_string).collect::<Vec<_>>())
    }

    /// All but the last keep the rule; what the last breaks.
    fn broken(lines: &[Value]) -> String {
        fold(&lines[..lines.len() - 1]).expect("lines that keep the rule");
        let error = fold(lines).expect_err("a line that breaks it");
        assert!(error.contains(&lines[lines.len() - 1].to_string()), "{error}");
        assert!(error.starts_with(&format!("line {}: ", lines.len())), "{error}");
        error
    }

    #[test]
    fn devices_come_change_and_go() {
        let mut changed = event("change", "/devices/b");
        changed["properties"]["NEW"] = "yes".into();
        let lines = [
            json!({"kind": "start"}),
            event("add", "/devices/a"),
            event("add", "/devices/b"),
            changed,
            event("bind", "/devices/b"),
            event("remove", "/devices/a"),
            json!({"kind": "totals"}),
        ];
        let after = fold(&lines).unwrap();
        assert_eq!(after.names("net"), ["b".to_owned()].into());
        assert_eq!(after.devpaths("net"), ["/devices/b".to_owned()].into());
        assert_eq!(after.devpaths("block"), [].into());
        let changed = fold(&lines[..4]).unwrap();
        assert_eq!(changed.present["/devices/b"].properties["NEW"], "yes");
        let again = [&lines[..], &[event("add", "/devices/a")]].concat();
        assert_eq!(fold(&again).unwrap().names("net"), ["a".to_owned(), "b".to_owned()].into());
    }

    #[test]
    fn each_way_to_break_the_rule_is_found() {
        let (add, remove) = (event("add", "/devices/a"), event("remove", "/devices/a"));
        assert!(broken(&[add.clone(), add.clone()]).contains("add of what is present"));
        assert!(broken(slice::from_ref(&remove)).contains("remove of what is not present"));
        assert!(broken(&[add.clone(), remove.clone(), remove.clone()]).contains("remove of what"));
        for action in ["change", "move", "bind", "unbind", "online", "offline"] {
            let event = event(action, "/devices/a");
            let what = format!("{action} of what is not present");
            assert!(broken(slice::from_ref(&event)).contains(&what));
            assert!(broken(&[add.clone(), remove.clone(), event]).contains(&what));
        }
        // Of each devpath for itself.
        assert!(broken(&[add, event("remove", "/devices/b")]).contains("remove of what is not present"));
    }

    #[test]
    fn lines_that_cannot_be_folded_are_found() {
        for key in ["action", "devpath", "properties"] {
            let mut line = event("add", "/devices/a");
            line.as_object_mut().unwrap().remove(key);
            assert!(broken(&[line]).contains(&format!("no {key}")));
        }
        let mut line = event("add", "/devices/a");
        line["properties"]["IFINDEX"] = 7.into();
        assert!(broken(&[line]).contains("IFINDEX is no text"));
        assert!(Fold::of(&["sureplug: a line".to_owned()]).unwrap_err().starts_with("line 1: "));
    }

    #[test]
    fn a_line_that_breaks_the_rule_changes_nothing() {
        let mut fold = fold(&[event("add", "/devices/a")]).unwrap();
        let before = fold.clone();
        for line in [event("add", "/devices/a"), event("remove", "/devices/b")] {
            fold.take(&line).unwrap_err();
            assert_eq!(fold, before);
        }
    }

    #[test]
    fn untracked_events_obey_no_alternation() {
        let lines = [
            untracked("remove", "/devices/a"),
            event("add", "/devices/a"),
            untracked("add", "/devices/a"),
            untracked("remove", "/devices/a"),
            untracked("add", "/devices/b"),
        ];
        assert_eq!(fold(&lines).unwrap().names("net"), ["a".to_owned()].into());
    }

    #[test]
    fn after_a_reset_everything_is_delivered_anew() {
        let (add, reset) = (event("add", "/devices/a"), json!({"kind": "reset"}));
        let after = fold(&[add.clone(), reset.clone(), add.clone()]).unwrap();
        assert_eq!((after.resets, after.present.len()), (1, 1));
        assert!(broken(&[add, reset, event("change", "/devices/a")]).contains("change of what"));
    }

    #[test]
    fn removals_that_leave_children_are_kept() {
        let adds = ["/devices/a", "/devices/a/b", "/devices/a/b/c", "/devices/a-b", "/devices/a0"];
        let adds = adds.map(|devpath| event("add", devpath));
        let removes = |devpaths: [&str; 3]| devpaths.map(|devpath| event("remove", devpath));
        let children_first = removes(["/devices/a/b/c", "/devices/a/b", "/devices/a"]);
        assert_eq!(fold(&[&adds[..], &children_first].concat()).unwrap().parents_first, [""; 0]);
        let parents_first = removes(["/devices/a/b", "/devices/a", "/devices/a/b/c"]);
        let expected = ["/devices/a/b: /devices/a/b/c", "/devices/a: /devices/a/b/c"];
        assert_eq!(fold(&[&adds[..], &parents_first].concat()).unwrap().parents_first, expected);
    }
}
