//! Requests that come long after they were given up.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::task::yield_now;

/// A hang-up that came with the request is known after fewer turns of the runtime.
const TURNS: usize = 8;

/// Does nothing for who has hung up already.
///
/// What stands between a client and a master, or the master itself, may have stood still. The
/// client has asked another master since, and may have written more upon its answer, which a
/// late write would undo. Its hang-up comes right behind the request, and drops what was begun.
pub(super) async fn hear_hang_up(request: Request, next: Next) -> Response {
    if !request.method().is_safe() {
        for _ in 0..TURNS {
            yield_now().await;
        }
    }
    next.run(request).await
}
