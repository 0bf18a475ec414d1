//! The route of lines: a device's SSH on a plain connection.

use lineman_common::api::{Line, NewLine};
use reqwest::Url;

use super::{CALL_TIMEOUT, Client, ClientError};
use crate::line::{Ticket, Way};

impl Client {
    /// Asks the device for a line. A refusal carries the device's own reason.
    pub async fn line(&self, new: &NewLine) -> Result<Ticket, ClientError> {
        let request = self.http.post(self.url(&["lines"])).json(new).timeout(CALL_TIMEOUT);
        let response = self.reply(request).await?;
        let way = Way::of(&self.base, response.remote_addr());
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        let Line { ticket } = serde_json::from_slice(&body)?;
        Ok(Ticket { device: new.device.clone(), way, ticket })
    }

    pub fn base(&self) -> &Url {
        &self.base
    }
}
