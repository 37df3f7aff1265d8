#include "control/session/flow_ends.h"

#include <gtest/gtest.h>

#include "wire/test_packet.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

class SortEndsTest : public testing::Test {
 protected:
  SortEndsTest() {
    for (const record::v1::Direction direction : {record::v1::DOWN, record::v1::UP}) {
      ms::DirectionRequest& request = directions_.emplace_back();
      request.set_direction(direction);
      request.mutable_parameters()->set_streams(2);
      request.mutable_parameters()->set_ip_version(4);
      for (uint32_t stream : {1u, 0u}) {  // Any order is fine.
        ms::FlowEnd* end = request_.add_client_ends();
        end->set_direction(direction);
        end->set_stream(stream);
        end->set_ip("192.0.2.7");
        end->set_udp_port(50000);
        end->set_slot(static_cast<uint32_t>(10 * direction + stream));
        end->set_generation(1);
        if (direction == record::v1::DOWN) end->set_cookie(wire::MakeCookie(end->slot(), 99));
      }
    }
  }

  std::optional<EndsFault> Sort() {
    sorted_.clear();
    return SortEnds(request_.client_ends(), directions_, record::v1::DOWN, "client_ends", &sorted_);
  }
  ms::FlowEnd* end(int index) { return request_.mutable_client_ends(index); }
  void ExpectFault(const std::string& field) {
    const std::optional<EndsFault> fault = Sort();
    ASSERT_TRUE(fault.has_value()) << field;
    EXPECT_EQ(fault->field, field);
    EXPECT_FALSE(fault->message.empty());
  }

  std::vector<ms::DirectionRequest> directions_;
  ms::NegotiateRequest request_;
  EndsByDirection sorted_;
};

TEST_F(SortEndsTest, OrdersByDirectionAndStream) {
  ASSERT_FALSE(Sort().has_value());
  EXPECT_EQ(sorted_[record::v1::DOWN][0].slot(), 10u);
  EXPECT_EQ(sorted_[record::v1::DOWN][1].slot(), 11u);
  EXPECT_EQ(sorted_[record::v1::UP][1].slot(), 21u);
}

TEST_F(SortEndsTest, NamesTheFieldThatIsWrong) {
  end(0)->set_ip("2001:db8::1");
  ExpectFault("client_ends[0].ip");
  end(0)->set_ip("224.0.0.1");
  ExpectFault("client_ends[0].ip");
  end(0)->set_ip("192.0.2.7");
  end(1)->set_udp_port(0);
  ExpectFault("client_ends[1].udp_port");
  end(1)->set_udp_port(70000);
  ExpectFault("client_ends[1].udp_port");
  end(1)->set_udp_port(5);
  end(2)->set_generation(0);
  ExpectFault("client_ends[2].generation");
  end(2)->set_generation(1);
  end(2)->set_slot(wire::kSignalSlot);
  ExpectFault("client_ends[2].slot");
  end(2)->set_slot(1);
  end(1)->set_cookie(1);
  ExpectFault("client_ends[1].cookie");
}

TEST_F(SortEndsTest, WantsEachStreamOnce) {
  end(1)->set_stream(1);
  ExpectFault("client_ends[1].stream");
  end(1)->set_stream(2);
  ExpectFault("client_ends[1].stream");
  end(1)->set_stream(0);
  end(1)->set_direction(record::v1::DIRECTION_UNSPECIFIED);
  ExpectFault("client_ends[1].direction");
  request_.mutable_client_ends()->RemoveLast();
  ExpectFault("client_ends");
}

}  // namespace
}  // namespace weir::control
