//! Contents in a bucket of Google's: the whole app on a server that speaks its XML API.

use super::google_door::{self, FOREIGN, TRUSTED, bucket_url};
use super::promises;
use super::s3::Mood;

#[tokio::test]
async fn contents_of_every_size_go_into_googles_bucket_and_come_back() {
    let google = google_door::start().await;
    let app = google_door::app(&google, &format!("{}/trace/prod", bucket_url()), &TRUSTED).await;
    promises::contents_of_every_size_come_back(&app, "trace/prod/", async || google.objects()).await;
    assert_eq!(google.leftovers(), [""; 0]);
}

#[tokio::test]
async fn googles_bucket_is_read_in_parts_and_in_whole() {
    let google = google_door::start().await;
    let app = google_door::app(&google, &bucket_url(), &TRUSTED).await;
    promises::a_part_is_read_alone(&app).await;
    promises::an_artifact_downloads(&app).await;
}

#[tokio::test]
async fn a_content_that_is_refused_leaves_nothing_in_googles_bucket() {
    let google = google_door::start().await;
    let app = google_door::app(&google, &bucket_url(), &TRUSTED).await;
    promises::what_is_refused_leaves_nothing(&app, async || [google.objects(), google.leftovers()].concat()).await;
}

#[tokio::test]
async fn a_content_that_googles_bucket_lost_is_not_found() {
    let google = google_door::start().await;
    let app = google_door::app(&google, &bucket_url(), &TRUSTED).await;
    promises::a_lost_content_is_not_found(&app, async |key: &str| google.lose(key)).await;
}

#[tokio::test]
async fn while_google_is_away_the_server_says_so_and_heals() {
    let google = google_door::start().await;
    let app = google_door::app(&google, &bucket_url(), &TRUSTED).await;
    let be_away = |away| google.be(if away { Mood::Away } else { Mood::Well });
    promises::the_server_says_that_the_store_is_away_and_heals(&app, be_away).await;
    assert_eq!(google.leftovers(), [""; 0]);
}

#[tokio::test]
async fn google_does_not_know_a_service_account_by_its_name_alone() {
    let google = google_door::start().await;
    let app = google_door::app(&google, &bucket_url(), &FOREIGN).await;
    promises::wrong_credentials_are_named_and_not_shown(&app, "PRIVATE KEY").await;
    assert_eq!(google.objects(), [""; 0]);
}

#[tokio::test]
async fn a_bucket_that_google_does_not_have_makes_the_server_not_ready() {
    let google = google_door::start().await;
    let app = google_door::app(&google, "gs://another-bucket", &TRUSTED).await;
    app.get("", "/health/ready").await.expect(503);
}

#[tokio::test]
async fn the_same_content_may_go_into_googles_bucket_twice_at_once() {
    let google = google_door::start().await;
    let app = google_door::app(&google, &bucket_url(), &TRUSTED).await;
    promises::the_same_content_may_come_twice_at_once(&app, async || google.objects()).await;
}
