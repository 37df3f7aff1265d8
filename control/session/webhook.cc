#include "control/session/webhook.h"

#include <curl/curl.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <thread>
#include <utility>

namespace weir::control {
namespace {

constexpr long kTimeoutSeconds = 5;
constexpr int kAttempts = 3;
constexpr std::chrono::milliseconds kPause{500};
constexpr size_t kQueued = 64;

size_t Discard(char*, size_t size, size_t count, void*) { return size * count; }

// Empty: it was taken; else why not.
std::string PostOnce(const std::string& url, const std::string& json) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  if (curl == nullptr) return "no memory";
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(nullptr, "Content-Type: application/json"), &curl_slist_free_all);
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, json.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(json.size()));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Discard);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kTimeoutSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
    return curl_easy_strerror(code);
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300 ? "" : "HTTP status " + std::to_string(status);
}

}  // namespace

Webhook::Webhook(std::string url) : url_(std::move(url)) {
  if (url_.empty()) return;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  queue_ = std::make_unique<WorkQueue>(1, kQueued);
}

void Webhook::Post(std::string json) {
  if (queue_ == nullptr) return;
  const bool queued = queue_->Submit([url = url_, json = std::move(json)] {
    std::string why;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (attempt > 0) std::this_thread::sleep_for(kPause * attempt);
      why = PostOnce(url, json);
      if (why.empty()) return;
    }
    spdlog::warn("notice_webhook: not delivered: {}; the notice is in the audit log", why);
  });
  if (!queued) spdlog::warn("notice_webhook: too many notices wait; one is in the audit log only");
}

}  // namespace weir::control
