// The stages that need no more than the request and the policy.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/admission/attempt.h"
#include "control/admission/label.h"
#include "control/admission/request_form.h"
#include "control/admission/screening.h"

namespace weir::control {
namespace {

using record::v1::Direction;
using record::v1::TestParameters;

// A certificate may name a person, and the trace is kept.
std::string_view IdentityKind(std::string_view identity) {
  return identity.starts_with("certificate:") ? "certificate" : identity;
}

// Enough of a digest to tell two apart; nothing else a client may have put there.
std::string_view Shortened(std::string_view digest) {
  constexpr size_t kShown = sizeof("sha256:") - 1 + 12;
  return digest.empty()                  ? "none"
         : digest.starts_with("sha256:") ? digest.substr(0, kShown)
                                         : "not a digest";
}

}  // namespace

// Who asks, and whether they know what is collected.
bool Admission::Identify(Attempt* attempt) const {
  static constexpr char kStage[] = "identify";  // Static: the trace points to it.
  const AdmissionRequest& request = attempt->request;
  const auto keep = [&](std::string_view text) {
    return attempt->grant.trace.Keep(std::string(text));
  };
  attempt->subject.identity = request.identity;
  if (!request.access_token.empty() && !CheckToken(attempt)) return false;
  const Step one_peer{kStage, kOnePeerRule, "client_ends.ip"};
  if (request.peer_addresses.empty()) {
    return Refuse(attempt, one_peer, "required: the address the test packets use");
  }
  for (const std::string& text : request.peer_addresses) {
    const auto address = IpAddress::Parse(text);
    if (!address || address->IsUnspecified() || address->IsMulticast()) {
      return Refuse(attempt, one_peer,
                    absl::StrCat("\"", text, "\" is not the address of one host"));
    }
    if (&text == &request.peer_addresses.front()) {
      attempt->subject.client = *address;
    } else if (!(*address == attempt->subject.client)) {
      return Refuse(attempt, one_peer, "a session has one peer; use one address for all its ends");
    }
  }
  attempt->Note({.stage = kStage,
                 .rule = kOnePeerRule,
                 .field = "client_ends.ip",
                 .value = {attempt->subject.client.version() == 4 ? "IPv4" : "IPv6"},
                 .limit = {"one address"}});
  attempt->Note({.stage = kStage,
                 .rule = "",
                 .field = "identity",
                 .value = {.text = keep(IdentityKind(attempt->subject.identity))}});
  for (size_t layer = 0; layer < attempt->policy->layers().size(); ++layer) {
    NoteWho(attempt, layer);
  }
  const std::string& digest = attempt->policy->notice_digest();
  if (digest.empty()) return true;
  const Step notice{.stage = kStage,
                    .rule = kNoticeRule,
                    .field = "accepted_notice_digest",
                    .value = {.text = keep(Shortened(request.accepted_notice_digest))},
                    .limit = {.text = Shortened(digest)}};
  if (request.accepted_notice_digest != digest) {
    return Refuse(attempt, notice,
                  absl::StrCat("the notice of what is collected must be read and accepted first; "
                               "its digest is ",
                               digest));
  }
  attempt->Note(notice);
  return true;
}

// What a layer with an ASN table or with roles makes of the client.
void Admission::NoteWho(Attempt* attempt, size_t layer) const {
  const PolicyLayer& rules = *attempt->policy->layers()[layer];
  const Identified who = rules.Identify(attempt->subject.identity, attempt->subject.client);
  const auto note = [&](const char* field, std::string_view value) {
    attempt->Note({.stage = "identify",
                   .rule = "",
                   .field = field,
                   .value = {.text = value},
                   .profile = attempt->Profile(layer)});
  };
  if (!rules.proto().asn_table().empty()) {
    note("asn", who.origin == nullptr ? "not known" : std::string_view(who.origin->name));
  }
  if (!rules.proto().role().empty()) {
    note("role",
         who.roles.empty() ? "none" : attempt->grant.trace.Keep(absl::StrJoin(who.roles, ", ")));
  }
}

// A token stands beside the connection's own identity and takes its place. It is used up by being
// shown, whatever becomes of the request.
bool Admission::CheckToken(Attempt* attempt) const {
  const AdmissionRequest& request = attempt->request;
  Step step{.stage = "identify", .rule = kAccessTokenRule, .field = "access_token"};
  if (options_.tokens == nullptr) {
    return Refuse(attempt, step,
                  "this server trusts no token issuer; ask without a token, anonymously or with a "
                  "client certificate");
  }
  const int64_t now_unix_s = options_.unix_ns() / 1'000'000'000;
  const auto token = options_.tokens->Verify(request.access_token, now_unix_s);
  if (!token.ok()) return Refuse(attempt, step, std::string(token.status().message()));
  step.limit = {"sub = experiment, used once"};
  if (token->subject != request.experiment || !IsLabel(token->subject)) {
    return Refuse(attempt, step,
                  absl::StrCat("sub: the token is for another experiment than \"",
                               request.experiment, "\"; name the one it is for"));
  }
  step.value = {.text = attempt->grant.trace.Keep(
                    absl::StrCat("of ", token->issuer, " for ", token->subject))};
  const UsedToken used{.key = TokenKeyOf(*token), .expires_unix_s = token->expires_unix_s};
  if (!request.explain && !used_tokens_.Use(used.key, used.expires_unix_s, now_unix_s)) {
    return Refuse(attempt, step,
                  "jti: the token was used before; each is good for one request: get a new one");
  }
  attempt->grant.token = used;
  attempt->subject.identity = absl::StrCat("token:", token->subject);
  attempt->Note(step);
  return true;
}

// What is asked, in the terms rules are written in.
bool Admission::Classify(Attempt* attempt) const {
  const AdmissionRequest& request = attempt->request;
  const auto refuse = [&](std::string_view within, std::string_view field,
                          const std::string& message) {
    return Refuse(attempt, {"classify", kRequestFormRule, field, within}, message);
  };
  for (const auto& [field, label] :
       {std::pair{"experiment", &request.experiment}, std::pair{"purpose", &request.purpose}}) {
    if (!label->empty() && !IsLabel(*label)) {
      return refuse("", field,
                    absl::StrCat("it is published with the result; allowed: ", kLabelForm));
    }
  }
  attempt->subject.experiment = request.experiment;
  attempt->subject.purpose = request.purpose;

  const Step metadata{.stage = "classify",
                      .rule = kMetadataRule,
                      .field = "metadata",
                      .value = {"{n} keys", static_cast<uint64_t>(request.metadata.size())},
                      .limit = {"<= {n}, screened", kMaxMetadataKeys}};
  if (const auto fault = FindMetadataFault(request.metadata)) {
    return Refuse(attempt, metadata, *fault);
  }
  if (!request.metadata.empty()) attempt->Note(metadata);

  if (request.directions.empty()) return refuse("", "directions", "required: down, up or both");
  for (const auto& asked : request.directions) {
    const Direction direction = asked.direction();
    if (direction != record::v1::DOWN && direction != record::v1::UP) {
      return refuse("", "directions.direction", "allowed: DOWN, UP");
    }
    auto& named = attempt->subject.directions;
    if (std::find(named.begin(), named.end(), DirectionName(direction)) != named.end()) {
      return refuse("", "directions",
                    absl::StrCat(DirectionName(direction), " is asked for twice"));
    }
    named.push_back(DirectionName(direction));
    if (const auto fault = FindFormFault(asked.parameters())) {
      return refuse(ParametersOf(direction), fault->field, fault->message);
    }
    if (!request.peer_addresses.empty() && request.role == NodeRole::kServer &&
        static_cast<int>(asked.parameters().ip_version()) != attempt->subject.client.version()) {
      return refuse(ParametersOf(direction), "ip_version",
                    absl::StrCat(asked.parameters().ip_version(), ", but client_ends.ip is IPv",
                                 attempt->subject.client.version()));
    }
  }
  attempt->Note({.stage = "classify",
                 .rule = kRequestFormRule,
                 .field = "directions",
                 .value = {.text = attempt->grant.trace.Keep(
                               absl::StrJoin(attempt->subject.directions, "+"))}});
  return true;
}

// The rule of each layer that the request falls under, whatever it then says.
void Admission::MatchRules(Attempt* attempt) const {
  const AdmissionSubject& subject = attempt->subject;
  attempt->rules = attempt->policy->MatchAdmission(subject);
  const std::string_view asked_for = attempt->grant.trace.Keep(
      absl::StrCat("experiment \"", subject.experiment, "\", purpose \"", subject.purpose, "\""));
  for (size_t layer = 0; layer < attempt->rules.size(); ++layer) {
    const policy::v1::AdmissionRule* matched = attempt->rules[layer];
    if (attempt->request.explain) {
      for (const auto& rule : attempt->policy->layers()[layer]->proto().admission()) {
        if (&rule == matched) break;
        attempt->Note({.stage = "classify",
                       .rule = rule.name(),
                       .field = attempt->policy->layers()[layer]->Mismatch(rule, subject),
                       .verdict = policy::v1::NOT_MATCHED,
                       .profile = attempt->Profile(layer)});
      }
    }
    if (matched == nullptr) continue;
    attempt->Note({.stage = "classify",
                   .rule = matched->name(),
                   .field = "match",
                   .value = {.text = asked_for},
                   .profile = attempt->Profile(layer)});
  }
}

// One layer after the other, each by what the ones before it left: the intersection of all.
bool Admission::Limit(Attempt* attempt) const {
  attempt->grant.directions = attempt->request.directions;
  for (size_t layer = 0; layer < attempt->rules.size(); ++layer) {
    if (attempt->rules[layer] == nullptr) continue;  // Refused by the next stage.
    for (auto& granted : attempt->grant.directions) {
      if (!LimitDirection(attempt, layer, &granted)) return false;
    }
  }
  return true;
}

// The rate shrinks to the rule's limit; everything else must be within it.
bool Admission::LimitDirection(Attempt* attempt, size_t layer,
                               measurement::v1::DirectionRequest* granted) const {
  const policy::v1::AdmissionRule& rule = *attempt->rules[layer];
  const policy::v1::Limit& limit = rule.limit();
  TestParameters& parameters = *granted->mutable_parameters();
  const auto step = [&](const char* field, const Phrase& value, const Phrase& allowed) {
    return Step{.stage = "limit",
                .rule = rule.name(),
                .field = field,
                .within = ParametersOf(granted->direction()),
                .value = value,
                .limit = allowed,
                .profile = attempt->Profile(layer)};
  };
  if (limit.duration_ms() != 0) {
    const uint64_t limit_ns = uint64_t{limit.duration_ms()} * 1'000'000;
    const Step duration =
        step("duration_ns", {"{time}", parameters.duration_ns()}, {"<= {time}", limit_ns});
    if (parameters.duration_ns() > limit_ns) {
      return Refuse(
          attempt, duration,
          absl::StrCat(DurationText(parameters.duration_ns()),
                       " is longer than allowed; ask for at most ", DurationText(limit_ns)));
    }
    attempt->Note(duration);
  }
  if (limit.streams() != 0) {
    const Step streams =
        step("streams", {"{n}", parameters.streams()}, {"<= {n}", limit.streams()});
    if (parameters.streams() > limit.streams()) {
      return Refuse(
          attempt, streams,
          absl::StrCat(parameters.streams(), " are too many; ask for at most ", limit.streams()));
    }
    attempt->Note(streams);
  }
  if (limit.min_udp_payload_bytes() != 0 || limit.max_udp_payload_bytes() != 0) {
    for (const auto& size : parameters.payload()) {
      const uint32_t bytes = size.udp_payload_bytes();
      const Step payload = step(
          "payload.udp_payload_bytes", {"{n}", bytes},
          limit.max_udp_payload_bytes() == 0
              ? Phrase{">= {n}", limit.min_udp_payload_bytes()}
              : Phrase{"{n} to {n}", limit.min_udp_payload_bytes(), limit.max_udp_payload_bytes()});
      if (bytes < limit.min_udp_payload_bytes()) {
        return Refuse(attempt, payload,
                      absl::StrCat(bytes, " bytes are too small; ask for at least ",
                                   limit.min_udp_payload_bytes()));
      }
      if (limit.max_udp_payload_bytes() != 0 && bytes > limit.max_udp_payload_bytes()) {
        return Refuse(attempt, payload,
                      absl::StrCat(bytes, " bytes are too large; ask for at most ",
                                   limit.max_udp_payload_bytes()));
      }
      attempt->Note(payload);
    }
  }
  if (rule.effect() == policy::v1::ALLOW && parameters.rate_max() && !limit.allow_rate_max()) {
    return Refuse(attempt, step("rate_max", {"max"}, {"a rate"}),
                  limit.rate_bps() == 0
                      ? "\"max\" is not allowed; ask for a rate"
                      : absl::StrCat("\"max\" is not allowed; ask for a rate of at most ",
                                     RateText(limit.rate_bps())));
  }
  if (limit.rate_bps() == 0) return true;
  Step rate =
      step("rate_bps",
           parameters.rate_bps() == 0 ? Phrase{"max"} : Phrase{"{rate}", parameters.rate_bps()},
           {"<= {rate}", limit.rate_bps()});
  // "max" that an earlier layer has put a number to is judged by the number.
  if (parameters.rate_bps() == 0 || parameters.rate_bps() > limit.rate_bps()) {
    parameters.set_rate_bps(limit.rate_bps());
    AddReason(&attempt->grant.reduced_by, rule.name());
    rate.verdict = policy::v1::REDUCED;
  }
  attempt->Note(rate);
  return true;
}

// Every layer must allow it.
bool Admission::Choose(Attempt* attempt) const {
  for (size_t layer = 0; layer < attempt->rules.size(); ++layer) {
    const policy::v1::AdmissionRule* rule = attempt->rules[layer];
    if (rule == nullptr) {
      const AdmissionSubject& subject = attempt->subject;
      return Refuse(
          attempt,
          {.stage = "decide", .rule = kDefaultDenyRule, .profile = attempt->Profile(layer)},
          absl::StrCat("no rule of the policy admits this request (identity ", subject.identity,
                       ", experiment \"", subject.experiment, "\", purpose \"", subject.purpose,
                       "\", ", absl::StrJoin(subject.directions, "+"),
                       "); ask the operator who may test here"));
    }
    const Step effect{.stage = "decide",
                      .rule = rule->name(),
                      .value = {.text = policy::v1::Effect_Name(rule->effect())},
                      .profile = attempt->Profile(layer),
                      .serves = rule};
    if (rule->effect() != policy::v1::ALLOW) {
      return Refuse(attempt, effect,
                    rule->reason().empty() ? "the policy refuses this request" : rule->reason());
    }
    attempt->Note(effect);
  }
  attempt->grant.admission_rule = JoinRules(attempt->rules);
  return true;
}

}  // namespace weir::control
