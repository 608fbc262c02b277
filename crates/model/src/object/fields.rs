//! The names of a type's fields, as its own deserialiser tells them, and what is said of others.

use serde::de::value::Error;
use serde::de::{Deserializer, Error as _, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use crate::near;

/// The JSON names of the fields of `T`.
pub fn fields_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut asked = Asked(&[]);
    // It always fails: there is nothing to read, only to be asked for.
    drop(T::deserialize(&mut asked));
    asked.0
}

/// What is wrong with a field that `of`, such as "a rule", does not have.
pub fn no_such_field(name: &str, of: &str, known: &[&str]) -> String {
    // The other fields spell the key: it is taken, and nobody has to send it.
    let known = || known.iter().copied().filter(|known| *known != "key");
    match &near(name, known())[..] {
        [] => {
            let known = known().collect::<Vec<_>>().join(", ");
            format!("{name}: is no field of {of}; it has {known}")
        }
        close => format!(
            "{name}: is no field of {of}; did you mean {}?",
            close.join(" or ")
        ),
    }
}

struct Asked(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Asked {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.0 = fields;
        Err(Error::custom("only the fields were asked for"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Policy, Rule};

    #[test]
    fn fields_have_their_names_of_json() {
        let fields = fields_of::<Policy>();
        assert_eq!(
            fields,
            [
                "key",
                "tenantName",
                "policyName",
                "tier",
                "order",
                "staged",
                "description"
            ]
        );
        assert!(fields_of::<String>().is_empty());
    }

    #[test]
    fn what_is_misspelt_finds_what_was_meant() {
        let said = |name| no_such_field(name, "a rule", fields_of::<Rule>());
        assert_eq!(
            said("fromEndPointGroup"),
            "fromEndPointGroup: is no field of a rule; did you mean fromEndpointGroup?"
        );
        assert!(said("prot").contains("did you mean port or protocol?"));
        assert!(said("toIp").contains("did you mean toIpExcept or toIpAddress?"));
        assert!(said("colour").contains("; it has tenantName, policyName, ruleId, direction"));
    }
}
