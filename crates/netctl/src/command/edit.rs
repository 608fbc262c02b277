//! Changes to what there is, without undoing those of others.

use std::time::Duration;

use contiv_client::{Client, Expect, Object};

use crate::failure::{Failure, Places};

/// Each failed try is somebody else's change that came about.
const TRIES: u32 = 12;

/// Longer after each try, so that many who change one object at once get out of step.
const PAUSE: Duration = Duration::from_millis(5);

/// Reads the object, changes it and writes it back if it is still what was read; otherwise
/// again, so that of two who change one object at once neither undoes what the other did.
pub(crate) async fn edit<O: Object>(
    client: &Client,
    key: &str,
    places: Places,
    change: impl Fn(&mut O) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for tried in 0..TRIES {
        tokio::time::sleep(PAUSE * tried).await;
        let (mut object, tag) = client.get_tagged::<O>(key).await?;
        change(&mut object)?;
        match client.put_if(&object, &Expect::Seen(tag)).await {
            Err(error) if error.is_precondition_failed() => {}
            Err(error) => return Err(Failure::with_places(places)(error)),
            Ok(_) => return Ok(()),
        }
    }
    Err(Failure::Invalid(format!(
        "{} {key} is changed by others all the time, and is not as you asked; try again",
        O::NOUN
    )))
}

/// Writes the object in the place of the one that there must be.
pub(crate) async fn replace<O: Object>(
    client: &Client,
    object: &O,
    places: Places,
) -> Result<(), Failure> {
    match client.put_if(object, &Expect::Present).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_precondition_failed() => Err(Failure::Invalid(format!(
            "{} {} not found",
            O::NOUN,
            object.key_of_fields()
        ))),
        Err(error) => Err(Failure::with_places(places)(error)),
    }
}
