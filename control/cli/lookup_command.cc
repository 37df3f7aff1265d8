#include "control/cli/lookup_command.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "control/cli/query.h"
#include "control/cli/remote_server.h"

namespace weir::cli {
namespace {

namespace ms = measurement::v1;

// "ADDRESS:PORT" with an IPv6 address in brackets; the server judges the address.
bool SplitEnd(const std::string& text, std::string* ip, uint32_t* port) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  *ip = text.substr(0, colon);
  if (ip->front() == '[' && ip->back() == ']') {
    *ip = ip->substr(1, ip->size() - 2);
  } else if (ip->find(':') != std::string::npos) {
    return false;  // Which colon is the port's, nobody can tell.
  }
  return absl::SimpleAtoi(text.substr(colon + 1), port) && *port >= 1 && *port <= 65535;
}

std::optional<uint64_t> ParseMoment(const std::string& text) {
  if (text == "now") return static_cast<uint64_t>(absl::GetCurrentTimeNanos());
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    // In ns, so that the next ten thousand years do not overflow.
    if (!(seconds > 0) || seconds > 1e10) return std::nullopt;
    return static_cast<uint64_t>(std::llround(seconds * 1e3)) * 1'000'000;
  }
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)) return std::nullopt;
  const int64_t ns = absl::ToUnixNanos(time);
  return ns > 0 ? std::optional<uint64_t>(ns) : std::nullopt;
}

std::string Render(const ms::LookupReply& reply) {
  return absl::StrCat(
      reply.session_id().empty()
          ? absl::StrCat("no session of ", reply.node(),
                         " had such a flow within two seconds of then\n")
          : absl::StrCat("session ", reply.session_id(), " of ", reply.node(), "\n"),
      "operator ", reply.operator_(), ", contact ", reply.contact(), "\n");
}

}  // namespace

std::variant<ms::LookupRequest, Failure> ToLookup(const LookupOptions& options) {
  ms::LookupRequest packet;
  uint32_t port = 0;
  for (const bool source : {true, false}) {
    const std::string& text = source ? options.source : options.destination;
    std::string* const ip = source ? packet.mutable_source_ip() : packet.mutable_destination_ip();
    if (!SplitEnd(text, ip, &port)) {
      return Failure{ExitCode::kUsage,
                     absl::StrCat(source ? "SOURCE" : "DESTINATION", ": \"", text,
                                  "\" is not ADDRESS:PORT or [IPv6]:PORT, port 1 to 65535")};
    }
    source ? packet.set_source_port(port) : packet.set_destination_port(port);
  }
  const std::optional<uint64_t> moment = ParseMoment(options.time);
  if (!moment) {
    return Failure{ExitCode::kUsage,
                   absl::StrCat("TIME: \"", options.time,
                                "\" is not like 2026-11-25T12:00:00Z, seconds since 1970, or now")};
  }
  packet.set_at_unix_ns(*moment);
  return packet;
}

ExitCode LookUp(const Context& context, const LookupOptions& options) {
  auto packet = ToLookup(options);
  if (const auto* failure = std::get_if<Failure>(&packet)) return Report(context, *failure);
  ms::LookupFlowRequest request;
  *request.mutable_packet() = std::get<ms::LookupRequest>(packet);
  if (!options.server.empty()) {
    *request.mutable_remote() = ToRemote(options.server, options.ca, options.plaintext);
  }
  return Query(
      context, "cannot look that up", &AdminStub::LookupFlow, request,
      [&](const ms::LookupReply& reply) { return context.json ? JsonLine(reply) : Render(reply); });
}

}  // namespace weir::cli
