#include "control/admission/observed_use.h"

#include <sodium.h>

#include <cstring>

namespace weir::control {
namespace {

void RollOver(ObservedUse* use, uint32_t day) {
  if (day <= use->day) return;
  use->day = day;
  use->bytes = 0;
  use->tests = 0;
}

}  // namespace

UseKey MakeUseKey(std::string_view rule, std::string_view scope, std::string_view subject) {
  UseKey key;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, sizeof(key));
  for (std::string_view part : {rule, scope, subject}) {
    const uint64_t length = part.size();  // So that no two triples run into each other.
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&length),
                              sizeof(length));
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()),
                              part.size());
  }
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(key.data()), sizeof(key));
  return key;
}

std::string UseKeyBytes(const UseKey& key) {
  return {reinterpret_cast<const char*>(key.data()), sizeof(key)};
}

UseKey UseKeyFromBytes(std::string_view bytes) {
  UseKey key{};
  if (bytes.size() == sizeof(key)) std::memcpy(key.data(), bytes.data(), sizeof(key));
  return key;
}

ObservedUse UseTable::Get(const UseKey& key, uint32_t day) const {
  const Shard& shard = shards_[key[1] % kShards];
  const auto found = shard.find(key);
  ObservedUse use = found == shard.end() ? ObservedUse{} : found->second;
  RollOver(&use, day);
  return use;
}

ObservedUse* UseTable::Touch(const UseKey& key, uint32_t day) {
  Shard& shard = shards_[key[1] % kShards];
  auto found = shard.find(key);
  if (found == shard.end()) {
    if (size_ >= kMaxTracked) return nullptr;
    found = shard.emplace(key, ObservedUse{.day = day}).first;
    ++size_;
  }
  RollOver(&found->second, day);
  return &found->second;
}

void UseTable::Sweep(uint32_t day, uint32_t now_unix_s) {
  for (Shard& shard : shards_) {
    size_ -= static_cast<size_t>(absl::erase_if(shard, [&](const auto& entry) {
      const ObservedUse& use = entry.second;
      return use.sessions == 0 && use.day < day && use.not_before_unix_s <= now_unix_s;
    }));
  }
}

}  // namespace weir::control
