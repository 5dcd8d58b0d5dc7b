//! Contents in a container of Azure's: the whole app on Microsoft's own emulator.

use super::azurite::{Azurite, CONTAINER};
use super::promises;

fn url() -> String {
    format!("az://{CONTAINER}")
}

#[tokio::test]
async fn contents_of_every_size_go_into_azures_container_and_come_back() {
    let azurite = Azurite::start().await;
    let app = azurite.app(&format!("{}/trace/prod", url())).await;
    promises::contents_of_every_size_come_back(&app, "trace/prod/", async || azurite.objects().await).await;
}

#[tokio::test]
async fn azures_container_is_read_in_parts_and_in_whole() {
    let azurite = Azurite::start().await;
    let app = azurite.app(&url()).await;
    promises::a_part_is_read_alone(&app).await;
    promises::an_artifact_downloads(&app).await;
    promises::a_lost_content_is_not_found(&app, async |key: &str| azurite.lose(key).await).await;
}

#[tokio::test]
async fn a_content_that_is_refused_leaves_nothing_in_azures_container() {
    let azurite = Azurite::start().await;
    promises::what_is_refused_leaves_nothing(&azurite.app(&url()).await, async || azurite.objects().await).await;
}

#[tokio::test]
async fn while_azure_is_away_the_server_says_so_and_heals() {
    let azurite = Azurite::start().await;
    let app = azurite.app(&url()).await;
    promises::the_server_says_that_the_store_is_away_and_heals(&app, |away| azurite.cut(away)).await;
}

#[tokio::test]
async fn azure_takes_neither_another_key_nor_a_container_that_is_not_there() {
    let azurite = Azurite::start().await;
    let app = azurite.app_with_key(&url(), "YW5vdGhlciBrZXk=").await;
    promises::wrong_credentials_are_named_and_not_shown(&app, "YW5vdGhlciBrZXk").await;
    assert_eq!(azurite.objects().await, [""; 0]);
    azurite.app("az://another").await.get("", "/health/ready").await.expect(503);
}

#[tokio::test]
async fn the_same_content_may_go_into_azures_container_twice_at_once() {
    let azurite = Azurite::start().await;
    let app = azurite.app(&url()).await;
    promises::the_same_content_may_come_twice_at_once(&app, async || azurite.objects().await).await;
}
