//! Everyday life: what people do to their tokens, Secrets and connections, at a gentle rate.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use clickup_simulator::messages::PlaceChange;
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::model::{Ailment, CHANNEL, Role, Slot, sharing};
use crate::{Failure, progress};

/// Between two changes.
pub(crate) const PACE: Duration = Duration::from_secs(2);
/// What is broken is mended after so many changes, at least and at most.
const ILLNESS: [u64; 2] = [30, 150];
/// What one of them may take, a busy machine included.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(2);

/// What was done so far, by its name. Looked at while something is being done.
pub(crate) type Tally = Rc<RefCell<BTreeMap<String, u64>>>;

/// Who lives it.
pub(crate) struct Life {
    pub(crate) fleet: Fleet,
    done: Tally,
    seed: u64,
    step: u64,
    /// Step and slot: what is to be mended when.
    ill: Vec<(u64, usize)>,
}

#[derive(Clone, Copy)]
enum Deed {
    Rotate,
    Revoke,
    Edit,
    Annotate,
    Break(Ailment),
    Mend,
}

impl Deed {
    /// Each as often as it is in everyday life.
    fn draw(number: u64) -> Deed {
        match number % 100 {
            0..20 => Deed::Rotate,
            20..26 => Deed::Revoke,
            26..40 => Deed::Break(Ailment::Gone),
            40..65 => Deed::Edit,
            65..80 => Deed::Annotate,
            80..85 => Deed::Break(Ailment::Suspended),
            85..91 => Deed::Break(Ailment::SecretGone),
            91..95 => Deed::Break(Ailment::Withdrawn),
            _ => Deed::Break(Ailment::ChannelRenamed),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Deed::Rotate => "tokens rotated",
            Deed::Revoke => "tokens revoked",
            Deed::Edit => "specs edited",
            Deed::Annotate => "checks asked for",
            Deed::Break(Ailment::Gone) => "connections deleted",
            Deed::Break(Ailment::SecretGone) => "Secrets deleted",
            Deed::Break(Ailment::Suspended) => "connections suspended",
            Deed::Break(Ailment::Withdrawn) => "sharings withdrawn",
            Deed::Break(Ailment::ChannelRenamed) => "channels renamed",
            Deed::Mend => "broken ones mended",
        }
    }
}

impl Life {
    pub(crate) fn new(fleet: Fleet, done: Tally, seed: u64) -> Life {
        Life { fleet, done, seed, step: 0, ill: Vec::new() }
    }

    /// One change, and what is due of older ones.
    pub(crate) async fn step(&mut self) -> Result<(), Failure> {
        self.step += 1;
        let due: Vec<usize> =
            self.ill.extract_if(.., |(step, _)| *step <= self.step).map(|(_, slot)| slot).collect();
        for slot in due {
            self.perform(Deed::Mend, slot).await?;
        }
        let deed = Deed::draw(self.draw("deed"));
        let fitting = self.fitting(deed);
        let at = usize::try_from(self.draw("slot")).unwrap_or_default() % fitting.len().max(1);
        match fitting.get(at) {
            Some(&slot) => self.perform(deed, slot).await,
            None => Ok(()),
        }
    }

    /// Ends what would hide how a connection stands.
    pub(crate) async fn resume_all(&mut self) -> Result<(), Failure> {
        for index in 0..self.fleet.slots.len() {
            if self.fleet.slots[index].ailment == Some(Ailment::Suspended) {
                self.perform(Deed::Mend, index).await?;
            }
        }
        Ok(())
    }

    /// The slots that it can be done to.
    fn fitting(&self, deed: Deed) -> Vec<usize> {
        let slots = self.fleet.slots.iter().enumerate();
        let fits = |(index, slot): &(usize, &Slot)| {
            let (sound, owns) = (slot.ailment.is_none(), slot.holder == *index);
            match deed {
                Deed::Rotate => owns && slot.ailment != Some(Ailment::Gone),
                Deed::Revoke => sound && owns && !slot.token.revoked,
                // Who refers to another has no Secret.
                Deed::Break(Ailment::SecretGone) => sound && !matches!(slot.role, Role::Referrer(_)),
                Deed::Break(Ailment::Withdrawn) => sound && matches!(slot.role, Role::Owner { .. }),
                Deed::Break(Ailment::ChannelRenamed) => sound && slot.role == Role::Channel,
                Deed::Break(Ailment::Gone | Ailment::Suspended)
                | Deed::Edit
                | Deed::Annotate
                | Deed::Mend => sound,
            }
        };
        slots.filter(fits).map(|(index, _)| index).collect()
    }

    /// Does it, again and again if the API server has no time for us.
    async fn perform(&mut self, deed: Deed, slot: usize) -> Result<(), Failure> {
        let began = tokio::time::Instant::now();
        while let Err(error) = self.attempt(deed, slot).await {
            if began.elapsed() > PATIENCE {
                return Err(error);
            }
            progress(format_args!("{}, once more: {error}", deed.name()));
            tokio::time::sleep(PAUSE).await;
        }
        *self.done.borrow_mut().entry(deed.name().to_owned()).or_default() += 1;
        if matches!(deed, Deed::Revoke | Deed::Break(_)) {
            let [least, most] = ILLNESS;
            let due = self.step + least + self.draw("illness") % (most - least);
            self.ill.push((due, slot));
        }
        Ok(())
    }

    async fn attempt(&mut self, deed: Deed, index: usize) -> Result<(), Failure> {
        match deed {
            Deed::Rotate => self.rotate(index).await?,
            Deed::Revoke => {
                self.fleet.clickup.revoke(&self.fleet.slots[index].token.name).await?;
                self.fleet.slots[index].token.revoked = true;
            }
            Deed::Edit => self.fleet.edit(index, json!({"spec": self.some_edit(index)})).await?,
            Deed::Annotate => {
                let annotations =
                    json!({"clickup-operator.dev/reconcile-requested-at": self.step.to_string()});
                self.fleet.edit(index, json!({"metadata": {"annotations": annotations}})).await?;
            }
            Deed::Break(ailment) => {
                match ailment {
                    Ailment::Gone => {
                        self.fleet.remove_connection(index).await?;
                        self.fleet.remove_secret(index).await?;
                    }
                    Ailment::SecretGone => self.fleet.remove_secret(index).await?,
                    Ailment::Suspended => self.fleet.edit(index, json!({"spec": {"suspend": true}})).await?,
                    Ailment::Withdrawn => {
                        let private = json!({"scope": "Private", "namespaceSelector": null});
                        self.fleet.edit(index, json!({"spec": {"sharing": private}})).await?;
                    }
                    Ailment::ChannelRenamed => self.call_channel(index, "another").await?,
                }
                self.fleet.slots[index].ailment = Some(ailment);
            }
            Deed::Mend => self.mend(index).await?,
        }
        Ok(())
    }

    /// Whatever is wrong with it.
    async fn mend(&mut self, index: usize) -> Result<(), Failure> {
        match self.fleet.slots[index].ailment {
            Some(Ailment::Gone) => self.fleet.make(index).await?,
            Some(Ailment::SecretGone) => self.fleet.put_secret(index).await?,
            Some(Ailment::Suspended) => self.fleet.edit(index, json!({"spec": {"suspend": false}})).await?,
            Some(Ailment::Withdrawn) => {
                let by_labels = self.fleet.slots[index].role == Role::Owner { by_labels: true };
                self.fleet.edit(index, json!({"spec": {"sharing": sharing(by_labels)}})).await?;
            }
            Some(Ailment::ChannelRenamed) => self.call_channel(index, CHANNEL).await?,
            None => {}
        }
        self.fleet.slots[index].ailment = None;
        if self.fleet.slots[index].token.revoked { self.rotate(index).await } else { Ok(()) }
    }

    /// A new value in ClickUp, then in the Secrets of all who hold it.
    async fn rotate(&mut self, index: usize) -> Result<(), Failure> {
        let token = self.fleet.clickup.regenerate(&self.fleet.slots[index].token.name).await?;
        self.fleet.slots[index].token.value = token.value;
        self.fleet.slots[index].token.revoked = false;
        for other in 0..self.fleet.slots.len() {
            if self.fleet.slots[other].holder == index {
                self.fleet.write_secret(other).await?;
            }
        }
        Ok(())
    }

    async fn call_channel(&self, index: usize, name: &str) -> Result<(), Failure> {
        let channel = &self.fleet.slots[index].token.channel;
        Ok(self.fleet.clickup.change_channel(channel, PlaceChange::name(name)).await?)
    }

    /// One that leaves the connection as good as it was.
    fn some_edit(&self, index: usize) -> Value {
        let workspace = self.fleet.workspace(index);
        match self.draw("edit") % 6 {
            0 => json!({"displayName": format!("after {} changes", self.step)}),
            1 => json!({"interval": "2m"}),
            2 => json!({"interval": "1m"}),
            3 => json!({"requiredWorkspaces": [{"id": workspace}]}),
            4 => json!({"requiredWorkspaces": null}),
            _ => json!({"timeout": format!("{}s", 20 + self.step % 20)}),
        }
    }

    /// A number that depends on the seed and the step alone.
    fn draw(&self, what: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, self.step, what).hash(&mut hasher);
        hasher.finish()
    }
}
