//! Owns launch templates and their versions. Knows nothing of the instances made from them.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;

use super::Cloud;
use super::filter::Filter;
use super::page::{Page, Paging};
use super::spec::LaunchSpec;
use super::tags::{self, Tags};
use crate::ids;
use crate::refusal::{IdKind, Refusal};

/// A launch template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// `lt-…`
    pub id: String,
    /// Unique in the region.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What `$Default` means.
    pub default_version: u64,
    /// By number, from 1; numbers are never used again.
    pub versions: BTreeMap<u64, TemplateVersion>,
    /// Its own tags, not those of its instances.
    pub tags: Tags,
}

/// One version of a launch template; it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVersion {
    /// From 1.
    pub number: u64,
    /// `VersionDescription`
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What instances are made from.
    pub data: LaunchSpec,
}

/// How a request names a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Number(u64),
    Latest,
    Default,
}

impl FromStr for Version {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "$Latest" => Ok(Self::Latest),
            "$Default" => Ok(Self::Default),
            number => number.parse().map(Self::Number).map_err(|_| Refusal::TemplateVersionMalformed(number.to_owned())),
        }
    }
}

/// CreateLaunchTemplate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTemplate {
    /// `ClientToken`
    pub token: Option<String>,
    /// 3 to 128 characters.
    pub name: String,
    /// Of version 1.
    pub description: Option<String>,
    /// Of version 1.
    pub data: LaunchSpec,
    /// The template's own.
    pub tags: Tags,
}

/// CreateLaunchTemplateVersion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// `ClientToken`
    pub token: Option<String>,
    /// Exactly one of id and name is given.
    pub id: Option<String>,
    /// See `id`.
    pub name: Option<String>,
    /// The version that `data` is laid over, if any.
    pub source: Option<String>,
    /// `VersionDescription`
    pub description: Option<String>,
    /// What is new.
    pub data: LaunchSpec,
}

/// DescribeLaunchTemplates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateQuery {
    /// Those with these ids.
    pub ids: Vec<String>,
    /// Those with these names.
    pub names: Vec<String>,
    /// `launch-template-name`, `tag:KEY`, `tag-key`, `tag-value`
    pub filters: Vec<Filter>,
    /// 1 to 200 a page.
    pub paging: Paging,
}

/// DescribeLaunchTemplateVersions of one template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionQuery {
    /// Exactly one of id and name is given.
    pub id: Option<String>,
    /// See `id`.
    pub name: Option<String>,
    /// Numbers, `$Latest`, `$Default`; empty is all.
    pub versions: Vec<String>,
    /// From this number.
    pub min: Option<u64>,
    /// Up to this number.
    pub max: Option<u64>,
    /// 1 to 200 a page.
    pub paging: Paging,
}

impl Template {
    /// The number that `$Latest` means.
    #[must_use]
    pub fn latest_version(&self) -> u64 {
        self.versions.keys().next_back().copied().unwrap_or_default()
    }

    pub(super) fn version(&self, version: Version) -> Result<&TemplateVersion, Refusal> {
        let number = match version {
            Version::Number(number) => number,
            Version::Latest => self.latest_version(),
            Version::Default => self.default_version,
        };
        let missing = || Refusal::TemplateVersionNotFound(self.id.clone(), number.to_string());
        self.versions.get(&number).ok_or_else(missing)
    }

    fn allows(&self, filter: &Filter) -> Result<bool, Refusal> {
        if let Some(answer) = filter.allows_tags(&self.tags) {
            return Ok(answer);
        }
        match filter.name.as_str() {
            "launch-template-name" => Ok(filter.allows([self.name.as_str()])),
            _ => Err(filter.unknown()),
        }
    }
}

impl Cloud {
    /// The template of this id or name.
    ///
    /// # Errors
    /// Not exactly one given, a malformed id, or none of this id or name.
    pub fn template(&self, id: Option<&String>, name: Option<&String>) -> Result<&Template, Refusal> {
        match (id, name) {
            (Some(id), None) => {
                ids::check_form(IdKind::Template, [id])?;
                self.templates.get(id).ok_or_else(|| Refusal::NotFound(IdKind::Template, vec![id.clone()]))
            }
            (None, Some(name)) => {
                let named = self.templates.values().find(|template| template.name == *name);
                named.ok_or_else(|| Refusal::TemplateNameNotFound(name.clone()))
            }
            (None, None) => Err(Refusal::MissingParameter("LaunchTemplateId or LaunchTemplateName".to_owned())),
            (Some(_), Some(_)) => Err(Refusal::InvalidParameterCombination(
                "You must specify either the launch template ID or the launch template name, not both".to_owned(),
            )),
        }
    }

    /// CreateLaunchTemplate: the id of the template, which may be that of an earlier call with the same token.
    ///
    /// # Errors
    /// `InvalidLaunchTemplateName.…`, tag rules, `IdempotentParameterMismatch`.
    pub fn create_template(&mut self, request: NewTemplate, now: Timestamp) -> Result<String, Refusal> {
        if let Some(id) = self.new_templates.outcome(request.token.as_ref(), &request)? {
            return Ok(id.clone());
        }
        check_name(&request.name)?;
        if self.templates.values().any(|template| template.name == request.name) {
            return Err(Refusal::TemplateNameTaken);
        }
        tags::check(&request.tags, false)?;
        self.check_alias(&request.data)?;
        let id = self.fresh_id("lt-");
        let first = TemplateVersion { number: 1, description: request.description.clone(), created_at: now, data: request.data.clone() };
        let template = Template {
            id: id.clone(),
            name: request.name.clone(),
            created_at: now,
            default_version: 1,
            versions: BTreeMap::from([(1, first)]),
            tags: request.tags.clone(),
        };
        self.templates.insert(id.clone(), template);
        self.new_templates.keep(request.token.clone(), request, id.clone());
        Ok(id)
    }

    /// CreateLaunchTemplateVersion: the template's id and the version's number, as for [`Self::create_template`].
    ///
    /// # Errors
    /// No such template or source version, `IdempotentParameterMismatch`.
    pub fn create_version(&mut self, request: NewVersion, now: Timestamp) -> Result<(String, u64), Refusal> {
        if let Some(made) = self.new_versions.outcome(request.token.as_ref(), &request)? {
            return Ok(made.clone());
        }
        self.check_alias(&request.data)?;
        let template = self.template(request.id.as_ref(), request.name.as_ref())?;
        let data = match &request.source {
            Some(source) => request.data.clone().over(template.version(source.parse()?)?.data.clone()),
            None => request.data.clone(),
        };
        let (id, number) = (template.id.clone(), template.latest_version() + 1);
        let version = TemplateVersion { number, description: request.description.clone(), created_at: now, data };
        if let Some(template) = self.templates.get_mut(&id) {
            template.versions.insert(number, version);
        }
        self.new_versions.keep(request.token.clone(), request, (id.clone(), number));
        Ok((id, number))
    }

    /// EC2 looks a parameter up already when a template is made.
    fn check_alias(&self, data: &LaunchSpec) -> Result<(), Refusal> {
        data.image_id.as_deref().map_or(Ok(()), |image| self.image_of(image).map(drop))
    }

    /// ModifyLaunchTemplate: which version `$Default` means.
    ///
    /// # Errors
    /// No such template or version.
    pub fn set_default_version(
        &mut self,
        id: Option<&String>,
        name: Option<&String>,
        version: Option<&String>,
    ) -> Result<Template, Refusal> {
        let template = self.template(id, name)?;
        let number = match version {
            Some(version) => template.version(version.parse()?)?.number,
            None => template.default_version,
        };
        let mut changed = template.clone();
        changed.default_version = number;
        self.templates.insert(changed.id.clone(), changed.clone());
        Ok(changed)
    }

    /// DeleteLaunchTemplate, with all its versions.
    ///
    /// # Errors
    /// No such template.
    pub fn delete_template(&mut self, id: Option<&String>, name: Option<&String>) -> Result<Template, Refusal> {
        let template = self.template(id, name)?.clone();
        self.templates.remove(&template.id);
        Ok(template)
    }

    /// DescribeLaunchTemplates. An id or name that does not exist is an error.
    ///
    /// # Errors
    /// No such template, an unknown filter, paging.
    pub fn describe_templates(&self, query: &TemplateQuery) -> Result<Page<&Template>, Refusal> {
        for id in &query.ids {
            self.template(Some(id), None)?;
        }
        for name in &query.names {
            self.template(None, Some(name))?;
        }
        let everything = query.ids.is_empty() && query.names.is_empty();
        let mut found = Vec::new();
        for template in self.templates.values() {
            let named = query.ids.contains(&template.id) || query.names.contains(&template.name);
            if (everything || named) && all_allow(&query.filters, |filter| template.allows(filter))? {
                found.push(template);
            }
        }
        query.paging.cut(found.into_iter(), |template| template.id.clone(), 1..=200)
    }

    /// DescribeLaunchTemplateVersions, newest first as EC2 lists them, and the template they belong to.
    ///
    /// # Errors
    /// No such template or version, paging.
    pub fn describe_versions(&self, query: &VersionQuery) -> Result<(&Template, Page<&TemplateVersion>), Refusal> {
        let template = self.template(query.id.as_ref(), query.name.as_ref())?;
        let mut wanted = Vec::new();
        for version in &query.versions {
            wanted.push(template.version(version.parse()?)?.number);
        }
        let in_range = |number: u64| query.min.is_none_or(|min| number >= min) && query.max.is_none_or(|max| number <= max);
        let listed = template
            .versions
            .values()
            .rev()
            .filter(|version| in_range(version.number) && (wanted.is_empty() || wanted.contains(&version.number)));
        let newest_first = |version: &&TemplateVersion| format!("{:020}", u64::MAX - version.number);
        Ok((template, query.paging.cut(listed, newest_first, 1..=200)?))
    }
}

/// Whether all filters allow something; the first that is unknown is refused.
pub(super) fn all_allow(filters: &[Filter], mut allows: impl FnMut(&Filter) -> Result<bool, Refusal>) -> Result<bool, Refusal> {
    for filter in filters {
        if !allows(filter)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
    if (3..=128).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Refusal::TemplateNameMalformed(name.to_owned()))
}
