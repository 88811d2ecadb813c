//! The task that owns the processes: looks, plans, acts, tells bots what is new.
//!
//! It looks a few times a second and whenever something changed. Every step is idempotent, so that a failed one is
//! simply tried again at the next look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{BotId, InstallId, Timestamp};
use keyhold_protocol::uplink::{Command, ServerMessage, StopPolicy};
use keyhold_provision::local::{Launch, Mode};
use keyhold_provision::{Change, DesiredBot, Instance, InstanceState, Local, RestartPolicy, plan_changes};
use keyhold_store::{BotWork, CommandStatus, Store, StoreError, Wish};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::table::Table;
use super::{
    KeeperClient, KeeperError, News, Notice, Now, Order, VenueAddresses, assignment, uplink, verify,
};

/// What the manager and the lines share.
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) keeper: KeeperClient,
    pub(super) venues: VenueAddresses,
    pub(super) now: Now,
    pub(super) table: Table,
    pub(super) notices: broadcast::Sender<Notice>,
    pub(super) wake: mpsc::Sender<Order>,
}

impl Shared {
    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(super) fn tell(&self, notice: Notice) {
        // Nobody watching is not an error.
        let _ = self.notices.send(notice);
    }

    pub(super) fn wake(&self) {
        // A full inbox has a wake in it already.
        let _ = self.wake.try_send(Order::Wake);
    }

    /// The installation the keeper seals for.
    pub(super) async fn install(&self) -> Result<InstallId, KeeperError> {
        Ok(self.keeper.public_key().await?.install)
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A bot asked to end and leave its positions is killed after this long.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);
/// A run that was never heard of in this time has failed.
const DEPLOY_LIMIT: Duration = Duration::from_mins(3);

pub(super) struct Manager {
    pub(super) shared: Arc<Shared>,
    pub(super) local: Local,
    policy: RestartPolicy,
    ending: Option<oneshot::Sender<()>>,
}

/// Runs until the last handle is dropped.
pub(super) async fn run(shared: Arc<Shared>, local: Local, mut inbox: mpsc::Receiver<Order>) {
    let mut manager = Manager { shared, local, policy: RestartPolicy::default(), ending: None };
    manager.adopt();
    let mut clock = tokio::time::interval(LOOK_EVERY);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            order = inbox.recv() => match order {
                Some(Order::Wake) => {}
                Some(Order::Verify { store, key, done }) => verify::begin(&mut manager, store, key, done).await,
                Some(Order::EndAll { done }) => manager.ending = Some(done),
                None => return,
            },
            _ = clock.tick() => {}
        }
        if let Err(error) = manager.look().await {
            tracing::error!(error = %chain(&error), "looking after the bots failed; it will be tried again");
        }
    }
}

/// An error with its causes, for one log line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Manager {
    /// Bots that an earlier server left running may connect again.
    fn adopt(&mut self) {
        for instance in self.local.observe(self.shared.now()) {
            if let Some(uid) = self.local.uid_of(instance.bot) {
                self.shared.table.set_user(instance.bot, uid);
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        let now = self.shared.now();
        let work: BTreeMap<BotId, BotWork> =
            self.shared.store.system().work().await?.into_iter().map(|work| (work.run.bot, work)).collect();
        let instances = self.local.observe(now);
        let mut desired = Vec::new();
        for work in work.values() {
            let instance = instances.iter().find(|instance| instance.bot == work.run.bot);
            let wish = self.wish(work, instance, now).await?;
            desired.push(DesiredBot { bot: work.run.bot, deployment: work.run.deployment, wish });
        }
        let bots: Vec<Instance> = instances
            .into_iter()
            .filter(|one| self.shared.table.test(one.deployment, |_| ()).is_none())
            .collect();
        for change in plan_changes(&desired, &bots, &self.policy, now) {
            self.apply(change, &work, now).await?;
        }
        for work in work.values() {
            self.inform(work, now).await?;
        }
        self.answer_ending(&bots);
        Ok(())
    }

    /// What the planner is told: a bot that is winding down is left alone until it is done.
    async fn wish(
        &self,
        work: &BotWork,
        instance: Option<&Instance>,
        now: Timestamp,
    ) -> Result<keyhold_provision::Wish, StoreError> {
        use keyhold_provision::Wish as Planned;
        if self.ending.is_some() || work.failed {
            return Ok(Planned::Stopped);
        }
        match work.wish {
            Wish::Running => Ok(Planned::Running),
            Wish::Paused => Ok(Planned::Paused),
            Wish::Stopped => {
                let up = instance.is_some_and(|instance| instance.state == InstanceState::Up);
                let winding_down = up && self.is_winding_down(work, now).await?;
                Ok(if winding_down { Planned::Paused } else { Planned::Stopped })
            }
        }
    }

    /// Closing positions takes as long as the venue needs; leaving them is quick.
    async fn is_winding_down(&self, work: &BotWork, now: Timestamp) -> Result<bool, StoreError> {
        let store = self.shared.store.workspace(&work.run.actor());
        let commands = store.open_commands(work.run.deployment).await?;
        Ok(commands.iter().any(|command| match command.body {
            Some(Command::Stop { positions: StopPolicy::Close }) => true,
            Some(Command::Stop { positions: StopPolicy::Leave }) => {
                now < command.created_at.plus(LEAVE_LIMIT)
            }
            Some(Command::Flatten | Command::InspectKey) | None => false,
        }))
    }

    async fn apply(
        &mut self,
        change: Change,
        work: &BTreeMap<BotId, BotWork>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match change {
            Change::Launch { bot, .. } => match work.get(&bot) {
                Some(work) => self.launch(work, 0, now).await,
                None => Ok(()),
            },
            Change::Relaunch { bot, restarts, .. } => match work.get(&bot) {
                Some(work) => self.launch(work, restarts, now).await,
                None => Ok(()),
            },
            Change::Fail { bot, .. } => match work.get(&bot) {
                Some(work) => {
                    self.fail(
                        work,
                        "BOT_FAILED",
                        "The bot's process ended again and again. Its log tells more.",
                    )
                    .await
                }
                None => Ok(()),
            },
            Change::Remove { bot, deployment } => {
                if let Err(error) = self.local.remove(bot, deployment) {
                    tracing::error!(%bot, error = %chain(&error), "a bot's process could not be removed");
                    return Ok(());
                }
                self.shared.table.forget_user(bot);
                let Some(work) = work.get(&bot).filter(|work| work.run.deployment == deployment) else {
                    return Ok(());
                };
                let reason = if work.failed { "failed" } else { "stopped" };
                self.shared.store.system().ended(&work.run, reason, now).await?;
                self.shared.tell(Notice { workspace: work.run.workspace(), news: News::Bot(bot) });
                Ok(())
            }
        }
    }

    async fn launch(&mut self, work: &BotWork, restarts: u32, now: Timestamp) -> Result<(), StoreError> {
        let token = uplink::new_token();
        self.shared.store.system().set_token(&work.run, &uplink::hash(&token)).await?;
        let bot = work.run.bot;
        let launched = self.local.choose_uid(bot).and_then(|uid| {
            self.shared.table.set_user(bot, uid);
            let deployment = work.run.deployment;
            self.local.launch(&Launch { bot, deployment, mode: Mode::Run, uid, token: &token, restarts }, now)
        });
        match launched {
            Ok(pid) => {
                tracing::info!(%bot, pid, restarts, "a bot's process was started");
                self.shared.tell(Notice { workspace: work.run.workspace(), news: News::Bot(bot) });
                Ok(())
            }
            Err(error) => {
                tracing::error!(%bot, error = %chain(&error), "a bot's process could not be started");
                self.fail(
                    work,
                    "BOT_FAILED",
                    "The bot's process could not be started. The server's log tells why.",
                )
                .await
            }
        }
    }

    async fn fail(&self, work: &BotWork, code: &str, text: &str) -> Result<(), StoreError> {
        self.shared.store.system().failed(&work.run, code, text).await?;
        self.shared.tell(Notice { workspace: work.run.workspace(), news: News::Bot(work.run.bot) });
        Ok(())
    }

    /// Sends what a connected bot does not know yet: a newer assignment, commands.
    async fn inform(&mut self, work: &BotWork, now: Timestamp) -> Result<(), StoreError> {
        let overdue = work.online_at.is_none() && now >= work.requested_at.plus(DEPLOY_LIMIT);
        if overdue && work.wish != Wish::Stopped && !work.failed {
            return self.fail(work, "DEPLOY_TIMEOUT", "The bot did not report within three minutes.").await;
        }
        let Some(line) = self.shared.table.line(work.run.deployment) else { return Ok(()) };
        let store = self.shared.store.workspace(&work.run.actor());
        if line.generation < work.generation {
            match assignment::assemble(&self.shared, &store, work).await {
                Ok(assignment) => {
                    let message = ServerMessage::Assignment(Box::new(assignment));
                    if line.to_bot.try_send(message).is_ok() {
                        self.shared.table.sent(work.run.deployment, line.serial, work.generation);
                    }
                }
                Err(error) => {
                    tracing::warn!(bot = %work.run.bot, error = %chain(&error), "a bot could not be told its assignment");
                }
            }
        }
        for command in store.open_commands(work.run.deployment).await? {
            let Some(body) = command.body.filter(|_| command.status == CommandStatus::Pending) else {
                continue;
            };
            if line.to_bot.try_send(ServerMessage::Command { id: command.id, command: body }).is_ok() {
                store.command_delivered(command.id, now).await?;
                let news = News::Command(work.run.bot, command.id);
                self.shared.tell(Notice { workspace: work.run.workspace(), news });
            }
        }
        Ok(())
    }

    fn answer_ending(&mut self, bots: &[Instance]) {
        if bots.is_empty()
            && let Some(done) = self.ending.take()
        {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }
}
