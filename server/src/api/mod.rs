//! The HTTP door: router, authentication, errors, and the connections they arrive on.

mod console;
mod door;
mod layers;
mod once;
mod pages;
pub mod system;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, Required, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    agents, alarms, cases, consents, customers, duty, equipment, events, faults, gateway, health, meaning, notices, offices, people,
    reports, search, sessions, terminals, trust, views, walls,
};

pub use door::{Door, serve};

/// Largest request body.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The handles that the rooms' routes take.
#[derive(Clone)]
pub struct Handles {
    pub store: crate::store::Store,
    pub samples: health::Samples,
    pub links: agents::Links,
    pub authority: Arc<trust::Authority>,
    pub vendor_root: Arc<trust::VendorRoot>,
    pub lines: gateway::http::Handles,
    pub addresses: Arc<trust::http::Addresses>,
    pub throttle: Arc<people::Throttle>,
    pub sign_in: Arc<people::SignIn>,
    pub has_mail: notices::http::HasMail,
    pub terminals: terminals::Terminals,
    pub library: cases::library::Library,
    pub meaning: meaning::Meaning,
    pub walls: walls::Walls,
    pub about: system::About,
    pub stop: tokio_util::sync::CancellationToken,
}

#[derive(OpenApi)]
#[openapi(
    components(schemas(
        lineman_common::error::Problem,
        lineman_common::api::FigurePart,
        lineman_common::api::HealthBy,
        lineman_common::api::FaultSort,
        lineman_common::api::EquipmentSort
    )),
    info(
        title = "Lineman",
        description = "Remote diagnosis and fault tracking of telecom equipment. Errors are RFC 9457 problem documents; times are RFC 3339 in UTC."
    )
)]
struct Description;

/// All routes of the API, with their description.
fn described(handles: &Handles) -> OpenApiRouter {
    let Handles {
        store,
        samples,
        links,
        authority,
        vendor_root,
        lines,
        addresses,
        throttle,
        sign_in,
        has_mail,
        terminals,
        library,
        meaning,
        walls,
        about,
        stop,
    } = handles.clone();
    let finder = cases::find::Finder::new(library.clone(), meaning.clone());
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(people::http::routes().with_state(people::http::Handles { store: store.clone(), throttle, sign_in }))
        .merge(customers::http::routes().with_state(store.clone()))
        .merge(offices::http::routes().with_state(store.clone()))
        .merge(equipment::http::routes().with_state(store.clone()))
        .merge(health::http::routes().with_state(health::http::Handles { store: store.clone(), samples }))
        .merge(agents::http::routes().with_state(agents::http::Handles { store: store.clone(), links: links.clone() }))
        .merge(trust::http::routes().with_state(trust::http::Handles {
            store: store.clone(),
            authority,
            vendor_root: vendor_root.clone(),
            addresses,
        }))
        .merge(alarms::http::routes().with_state(store.clone()))
        .merge(faults::http::routes().with_state(faults::http::Handles::new(store.clone())))
        .merge(consents::standing::http::routes().with_state(store.clone()))
        .merge(consents::http::routes().with_state(consents::http::Handles { store: store.clone(), links: links.clone(), vendor_root }))
        .merge(sessions::http::routes().with_state(sessions::http::Handles { store: store.clone(), stop: stop.clone() }))
        .merge(duty::http::routes().with_state(store.clone()))
        .merge(terminals::http::routes().with_state(terminals::http::Handles { store: store.clone(), terminals }))
        .merge(search::http::routes().with_state(store.clone()))
        .merge(cases::exchange::http::routes().with_state(store.clone()))
        .merge(cases::http::routes().with_state(cases::http::Desk {
            tasks: handles.lines.jump.tasks.clone(),
            store: store.clone(),
            library: library.clone(),
            meaning: meaning.clone(),
            finder: finder.clone(),
        }))
        .merge(views::http::routes().with_state(views::http::Handles::new(store.clone(), finder.clone())))
        .merge(reports::http::routes().with_state(store.clone()))
        .merge(notices::http::routes().with_state(notices::http::Handles { store: store.clone(), has_mail }))
        .merge(walls::http::routes().with_state(walls::http::Handles { store: store.clone(), walls }))
        .merge(system::routes().with_state(system::Handles { store: store.clone(), library: library.clone(), meaning, about }))
        .merge(events::http::routes().with_state(events::http::Handles { store: store.clone(), stop }))
        .merge(gateway::http::routes().with_state(lines))
        .merge(pages::routes().with_state(pages::Handles { store, links, library, finder }))
}

/// The whole HTTP side of the server.
pub fn router(handles: &Handles) -> Router {
    let (router, openapi) = described(handles).split_for_parts();
    let openapi = Arc::new(document(openapi));
    let store = handles.store.clone();
    router
        .merge(pages::openapi(openapi))
        .fallback(console::serve)
        .method_not_allowed_fallback(layers::no_such_method)
        .layer(middleware::from_fn_with_state(once::Once::new(store.clone()), once::once))
        .layer(middleware::from_fn_with_state(store, layers::authenticate))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(layers::refuse_large))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(layers::panicked))
        .layer(middleware::from_fn(layers::trace))
}

/// The API's description without a server, as `lineman-server openapi` prints it. (An end-to-end test holds it against what a
/// running server says of its own routes.)
pub fn description() -> String {
    // On the heap: a description is large.
    let rooms = vec![
        people::http::routes().into_openapi(),
        customers::http::routes().into_openapi(),
        offices::http::routes().into_openapi(),
        equipment::http::routes().into_openapi(),
        health::http::routes().into_openapi(),
        agents::http::routes().into_openapi(),
        trust::http::routes().into_openapi(),
        alarms::http::routes().into_openapi(),
        faults::http::routes().into_openapi(),
        consents::http::routes().into_openapi(),
        consents::standing::http::routes().into_openapi(),
        sessions::http::routes().into_openapi(),
        duty::http::routes().into_openapi(),
        terminals::http::routes().into_openapi(),
        search::http::routes().into_openapi(),
        cases::exchange::http::routes().into_openapi(),
        cases::http::routes().into_openapi(),
        views::http::routes().into_openapi(),
        notices::http::routes().into_openapi(),
        reports::http::routes().into_openapi(),
        walls::http::routes().into_openapi(),
        system::routes().into_openapi(),
        events::http::routes().into_openapi(),
        gateway::http::routes().into_openapi(),
        pages::routes().into_openapi(),
    ];
    let mut openapi = Description::openapi();
    for room in rooms {
        openapi.merge(room);
    }
    document(openapi)
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch].into_iter().filter_map(Option::as_mut)
}

fn document(mut openapi: utoipa::openapi::OpenApi) -> String {
    env!("CARGO_PKG_VERSION").clone_into(&mut openapi.info.version);
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    openapi.components.get_or_insert_default().security_schemes.insert("bearer".to_owned(), bearer.into());
    for (path, operation) in openapi.paths.paths.iter_mut().flat_map(|(path, item)| operations(item).map(move |one| (path, one))) {
        // Rooms name their functions alike; in the whole description a name is one operation's.
        let place: String = path.chars().filter(|c| !"{}".contains(*c)).map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        operation.operation_id = operation.operation_id.take().map(|name| name + &place);
        for parameter in operation.parameters.iter_mut().flatten() {
            let RefOr::T(parameter) = parameter else { continue };
            // What the path doesn't name is asked for behind the question mark, and may be left away where it may be nothing.
            if parameter.parameter_in == ParameterIn::Path && !path.contains(&format!("{{{}}}", parameter.name)) {
                parameter.parameter_in = ParameterIn::Query;
                parameter.required = Required::False;
            }
        }
        let problem = ResponseBuilder::new()
            .description("What was wrong, and what would be right (RFC 9457)")
            .content("application/problem+json", ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build());
        operation.responses.responses.insert("default".to_owned(), problem.build().into());
    }
    openapi.security = Some(vec![utoipa::openapi::security::SecurityRequirement::new("bearer", Vec::<String>::new())]);
    openapi.to_pretty_json().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_description_holds_together() {
        let api: Value = serde_json::from_str(&super::description()).unwrap();
        let mut found = BTreeSet::new();
        references(&api, &mut found);
        let lost: Vec<_> = found.into_iter().filter(|place| api.pointer(place.trim_start_matches('#')).is_none()).collect();
        assert!(lost.is_empty(), "nothing is at {lost:?}: name the schemas in `Description`");

        let mut names = BTreeSet::new();
        for (path, item) in api["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{path}: an operation without a name"));
                assert!(names.insert(name), "{path}: {name} is there twice");
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let in_path = path.contains(&format!("{{{}}}", parameter["name"].as_str().unwrap()));
                    assert_eq!(parameter["in"] == "path", in_path, "{path}: {parameter}");
                }
            }
        }
    }
}
