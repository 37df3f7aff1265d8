#include "control/export/report_table.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr size_t kMostGroups = 1000;

size_t CountDistinct(std::vector<uint32_t> clients) {
  std::sort(clients.begin(), clients.end());
  return static_cast<size_t>(
      std::distance(clients.begin(), std::unique(clients.begin(), clients.end())));
}

// From 1, of `count` values in order.
size_t NearestRank(int percent, size_t count) {
  return (static_cast<size_t>(percent) * count + 99) / 100;
}

}  // namespace

ReportSample::ReportSample(const record::v1::Record& record)
    : direction(record.direction()),
      reached_load(record.result().limit() == record::v1::LIMIT_NONE ||
                   record.result().limit() == record::v1::LIMIT_POLICY) {
  const record::v1::DirectionResult& result = record.result();
  // What a sender alone knows is not what arrived.
  if (!record.has_result() || result.ends() == record::v1::ENDS_SENDER) return;
  values[kRate] = result.achieved_ip_bps();
  if (const uint64_t all = result.received() + result.lost(); all != 0) {
    values[kLoss] = static_cast<double>(result.lost()) / static_cast<double>(all);
  }
  const record::v1::Delay& delay = result.one_way_delay();
  if (delay.samples() == 0) return;
  if (delay.clocks_synchronised()) values[kDelay] = static_cast<double>(delay.p50_ns());
  values[kVariation] = static_cast<double>(delay.p99_ns() - delay.min_ns());
}

void ReportTableBuilder::Add(const std::string& name, uint32_t client, const ReportSample& sample) {
  Group& group = groups_[{name, sample.direction}];
  ++group.records;
  group.reached_load += sample.reached_load;
  group.clients.push_back(client);
  for (size_t i = 0; i < sample.values.size(); ++i) {
    if (sample.values[i]) group.values[i].push_back({*sample.values[i], client});
  }
}

void ReportTableBuilder::Group::Absorb(Group&& other) {
  const auto append = [](auto* to, const auto& from) {
    to->insert(to->end(), from.begin(), from.end());
  };
  records += other.records;
  reached_load += other.reached_load;
  append(&clients, other.clients);
  for (size_t i = 0; i < values.size(); ++i) append(&values[i], other.values[i]);
}

ms::Distribution ReportTableBuilder::Describe(std::vector<Value>* values, uint64_t records,
                                              uint32_t min_clients) {
  ms::Distribution out;
  const size_t count = values->size();
  out.set_values(count);
  out.set_without(records - count);
  std::vector<uint32_t> clients;
  for (const Value& one : *values) clients.push_back(one.client);
  if (CountDistinct(std::move(clients)) < std::max(min_clients, 1u)) return out;
  std::sort(values->begin(), values->end(),
            [](const Value& a, const Value& b) { return a.value < b.value; });
  const auto at = [&](int percent) { return (*values)[NearestRank(percent, count) - 1].value; };
  const auto inside = [&](int percent) {
    const size_t rank = NearestRank(percent, count);
    return rank > 1 && rank < count;
  };
  out.set_p50(at(50));
  if (inside(5)) out.set_p5(at(5));
  if (inside(95)) out.set_p95(at(95));
  return out;
}

void ReportTableBuilder::Group::Fill(uint32_t min_clients, ms::ReportGroup* out) {
  out->set_records(records);
  out->set_reached_load(reached_load);
  const auto describe = [&](ReportSample::Quantity quantity) {
    return Describe(&values[quantity], records, min_clients);
  };
  *out->mutable_rate_bps() = describe(ReportSample::kRate);
  *out->mutable_loss_ratio() = describe(ReportSample::kLoss);
  *out->mutable_delay_ns() = describe(ReportSample::kDelay);
  *out->mutable_delay_variation_ns() = describe(ReportSample::kVariation);
}

// Both directions of a name stay together.
std::vector<ReportTableBuilder::Key> ReportTableBuilder::Order(bool by_name) const {
  std::map<std::string, uint64_t> sizes;
  std::vector<Key> keys;
  for (const auto& [key, group] : groups_) {
    sizes[key.first] += group.records;
    keys.push_back(key);
  }
  if (by_name) return keys;
  std::stable_sort(keys.begin(), keys.end(),
                   [&](const Key& a, const Key& b) { return sizes[a.first] > sizes[b.first]; });
  return keys;
}

void ReportTableBuilder::Finish(uint32_t min_clients, bool by_name, ms::ReportTable* table) && {
  std::map<record::v1::Direction, Group> others, unknown;
  size_t shown = 0;
  for (const Key& key : Order(by_name)) {
    Group& group = groups_[key];
    if (key.first.empty()) {
      unknown[key.second] = std::move(group);
    } else if (CountDistinct(group.clients) < min_clients || shown == kMostGroups) {
      others[key.second].Absorb(std::move(group));
    } else {
      ++shown;
      ms::ReportGroup* out = table->add_groups();
      out->set_kind(ms::ReportGroup::NAMED);
      out->set_name(key.first);
      out->set_direction(key.second);
      group.Fill(min_clients, out);
    }
  }
  for (const auto& [kind, name, groups] :
       {std::tuple(ms::ReportGroup::UNKNOWN, "unknown", &unknown),
        std::tuple(ms::ReportGroup::OTHER, "other", &others)}) {
    for (auto& [direction, group] : *groups) {
      ms::ReportGroup* out = table->add_groups();
      out->set_kind(kind);
      out->set_name(name);
      out->set_direction(direction);
      group.Fill(min_clients, out);
    }
  }
}

}  // namespace weir::control
