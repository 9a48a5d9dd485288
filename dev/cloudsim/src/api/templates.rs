//! Owns the launch template actions' parameters and answers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::spec::{launch_spec, tag_specs};
use super::{Done, client_token, filters, paging, read, render};
use crate::query::Params;
use crate::refusal::Refusal;
use crate::state::{Cloud, LaunchSpec, NewTemplate, NewVersion, Template, TemplateQuery, TemplateVersion, VersionQuery};

pub(super) fn create(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let new = read(request, |params| {
        Ok(NewTemplate {
            token: client_token(params),
            name: params.required("LaunchTemplateName")?,
            description: params.text("VersionDescription"),
            data: data(params)?,
            tags: tag_specs(params, &["launch-template"])?.into_iter().flat_map(|spec| spec.tags).collect(),
        })
    })?;
    let id = cloud.create_template(new, now)?;
    let template = cloud.template(Some(&id), None)?;
    Ok(template_answer(template))
}

pub(super) fn create_version(cloud: &mut Cloud, request: &BTreeMap<String, String>, now: Timestamp) -> Result<Done, Refusal> {
    let (new, resolve) = read(request, |params| {
        let resolve = resolve_alias(params)?;
        let (id, name) = id_or_name(params);
        let new = NewVersion {
            token: client_token(params),
            id,
            name,
            source: params.text("SourceVersion"),
            description: params.text("VersionDescription"),
            data: data(params)?,
        };
        Ok((new, resolve))
    })?;
    let (id, number) = cloud.create_version(new, now)?;
    let template = cloud.template(Some(&id), None)?;
    let version = template.versions.get(&number).map(|version| shown(cloud, version, resolve)).transpose()?;
    Ok(Done::with(|xml| {
        if let Some(version) = &version {
            xml.node("launchTemplateVersion", |xml| render::template_version(xml, (template, version)));
        }
    }))
}

pub(super) fn describe(cloud: &mut Cloud, request: &BTreeMap<String, String>, _now: Timestamp) -> Result<Done, Refusal> {
    let query = read(request, |params| {
        params.only_off("IncludeManagedResources")?;
        Ok(TemplateQuery {
            ids: params.texts("LaunchTemplateId")?,
            names: params.texts("LaunchTemplateName")?,
            filters: filters(params)?,
            paging: paging(params)?,
        })
    })?;
    let page = cloud.describe_templates(&query)?;
    Ok(Done::with(|xml| {
        xml.set("launchTemplates", page.items, render::template);
        xml.maybe("nextToken", page.next_token);
    }))
}

pub(super) fn describe_versions(cloud: &mut Cloud, request: &BTreeMap<String, String>, _now: Timestamp) -> Result<Done, Refusal> {
    let (query, resolve) = read(request, |params| {
        params.only_off("IncludeManagedResources")?;
        let resolve = resolve_alias(params)?;
        let (id, name) = id_or_name(params);
        let query = VersionQuery {
            id,
            name,
            versions: params.texts("LaunchTemplateVersion")?,
            min: params.parsed("MinVersion")?,
            max: params.parsed("MaxVersion")?,
            paging: paging(params)?,
        };
        Ok((query, resolve))
    })?;
    let (template, page) = cloud.describe_versions(&query)?;
    let versions: Vec<_> = page.items.into_iter().map(|version| shown(cloud, version, resolve)).collect::<Result<_, _>>()?;
    Ok(Done::with(|xml| {
        xml.set("launchTemplateVersionSet", versions.iter().map(|version| (template, version.as_ref())), render::template_version);
        xml.maybe("nextToken", page.next_token);
    }))
}

pub(super) fn modify(cloud: &mut Cloud, request: &BTreeMap<String, String>, _now: Timestamp) -> Result<Done, Refusal> {
    let ((id, name), version) = read(request, |params| {
        // Setting a default twice is the same as once: the token has nothing to add.
        client_token(params);
        Ok((id_or_name(params), params.text("SetDefaultVersion")))
    })?;
    let template = cloud.set_default_version(id.as_ref(), name.as_ref(), version.as_ref())?;
    Ok(template_answer(&template))
}

pub(super) fn delete(cloud: &mut Cloud, request: &BTreeMap<String, String>, _now: Timestamp) -> Result<Done, Refusal> {
    let (id, name) = read(request, |params| Ok(id_or_name(params)))?;
    let template = cloud.delete_template(id.as_ref(), name.as_ref())?;
    Ok(template_answer(&template))
}

/// `ResolveAlias`: whether an image that is a parameter is shown as what the parameter is now.
fn resolve_alias(params: &mut Params) -> Result<bool, Refusal> {
    Ok(params.parsed("ResolveAlias")?.unwrap_or(false))
}

fn shown<'a>(cloud: &Cloud, version: &'a TemplateVersion, resolve: bool) -> Result<Cow<'a, TemplateVersion>, Refusal> {
    if resolve { cloud.with_alias_resolved(version).map(Cow::Owned) } else { Ok(Cow::Borrowed(version)) }
}

fn template_answer(template: &Template) -> Done {
    Done::with(|xml| xml.node("launchTemplate", |xml| render::template(xml, template)))
}

fn id_or_name(params: &mut Params) -> (Option<String>, Option<String>) {
    (params.text("LaunchTemplateId"), params.text("LaunchTemplateName"))
}

fn data(params: &mut Params) -> Result<LaunchSpec, Refusal> {
    let data = params.structure("LaunchTemplateData", launch_spec)?;
    data.ok_or_else(|| Refusal::MissingParameter("LaunchTemplateData".to_owned()))
}
