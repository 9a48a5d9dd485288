//! What browsers are served. What the page does is tested in one: dev/xtask/tests/e2e_page.rs.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::support::{client, settings, without_aws};

#[tokio::test]
async fn the_page_comes_whole_with_a_policy_that_lets_nothing_else_in_and_is_not_sent_twice() {
    let gateway = without_aws(settings()).await;
    for (path, media_type) in
        [("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css"), ("/openapi.json", "application/json")]
    {
        let file = gateway.get(path).await;
        let headers = file.headers().clone();
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(file.status(), 200, "{path}");
        assert!(header("content-type").starts_with(media_type), "{path}");
        assert!(header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!((header("x-content-type-options"), header("referrer-policy")), ("nosniff".to_owned(), "no-referrer".to_owned()));
        assert!(!file.text().await.unwrap().is_empty());
        let again = client().get(gateway.url(path)).header("if-none-match", header("etag")).send().await.unwrap();
        assert_eq!((again.status().as_u16(), again.text().await.unwrap().as_str()), (304, ""), "{path}");
    }
    gateway.stop().await;
}
