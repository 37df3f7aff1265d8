#include "control/api/peer_messages.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

namespace ms = measurement::v1;

TEST(PeerMessages, RoundTripBothWays) {
  ms::Stop stop;
  stop.set_reason("cancelled");
  ms::RunRequest request;
  ToStream(stop, &request);
  const auto body = FromStream(request);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(std::get<ms::Stop>(*body).reason(), "cancelled");

  ms::Completed completed;
  completed.set_end_reason("duration");
  ms::RunReply reply;
  ToStream(completed, &reply);
  EXPECT_EQ(std::get<ms::Completed>(*FromStream(reply)).end_reason(), "duration");
}

TEST(PeerMessages, WhatTheOtherRoleSaysHasNoPlace) {
  ms::RunReply reply;
  ToStream(ms::Stop(), &reply);
  EXPECT_EQ(reply.body_case(), ms::RunReply::BODY_NOT_SET);
  EXPECT_FALSE(FromStream(reply).has_value());
}

}  // namespace
}  // namespace weir::control
