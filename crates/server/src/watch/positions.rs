//! Open positions of all bots.

use keyhold_domain::money::optional_decimal_text;
use keyhold_domain::{Asset, BotId, Decimal, Environment, Price, SignedQuantity, Symbol, Timestamp};
use keyhold_protocol::uplink::{PositionReport, StopPlace};
use keyhold_store::Bot;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::documents::Named;
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::shape;

/// A position as its bot keeps it. What is not known is null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PositionView {
    bot: Named,
    #[schema(value_type = String)]
    bot_id: BotId,
    #[schema(value_type = Option<shape::Environment>, required)]
    environment: Option<Environment>,
    #[schema(value_type = String)]
    symbol: Symbol,
    /// Signed; `0` when it has just been closed.
    #[schema(value_type = String)]
    size: SignedQuantity,
    #[schema(value_type = Option<String>, required)]
    entry: Option<Price>,
    /// Newest price the bot has seen.
    #[schema(value_type = Option<String>, required)]
    mark: Option<Price>,
    #[serde(with = "optional_decimal_text")]
    #[schema(value_type = Option<String>, required)]
    unrealized: Option<Decimal>,
    #[schema(value_type = String)]
    settle: Asset,
    #[schema(value_type = Option<String>, required)]
    stop: Option<Price>,
    /// `venue` works while the bot is away, `bot` does not; `none` when there is no stop.
    #[schema(value_type = shape::StopPlace)]
    stop_at_venue: StopPlace,
    #[schema(value_type = Option<String>, required)]
    target: Option<Price>,
    #[schema(value_type = Option<String>, required)]
    liquidation: Option<Price>,
    #[schema(value_type = Option<i64>, required)]
    opened_at: Option<Timestamp>,
    #[schema(value_type = i64)]
    updated_at: Timestamp,
}

impl PositionView {
    pub(crate) fn new(bot: &Bot, report: &PositionReport, updated_at: Timestamp) -> Self {
        Self {
            bot: Named::new(bot.id, &bot.label),
            bot_id: bot.id,
            environment: bot.key.as_ref().map(|key| key.environment),
            symbol: report.symbol,
            size: report.size,
            entry: report.entry,
            mark: report.mark,
            unrealized: report.unrealized,
            settle: report.settle,
            stop: report.stop,
            stop_at_venue: report.stop_at_venue,
            target: report.target,
            liquidation: report.liquidation,
            opened_at: report.opened_at,
            updated_at,
        }
    }
}

/// Open positions of all bots, ordered by bot and symbol.
#[utoipa::path(get, path = "/positions", operation_id = "list_positions",
    responses((status = 200, body = Vec<PositionView>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn list(session: Session) -> Result<Json<Vec<PositionView>>, Problem> {
    let bots = session.workspace.bots().await?;
    let open = session.workspace.open_positions().await?;
    let views = open.iter().filter_map(|position| {
        let bot = bots.iter().find(|bot| bot.id == position.bot)?;
        Some(PositionView::new(bot, &position.report, position.updated_at))
    });
    Ok(Json(views.collect()))
}
