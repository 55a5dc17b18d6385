// One row a model, and what holds for all of them: the size, the shapes of everything they offer,
// the gradient of the loss. A model without a row here fails.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "models/registry.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

using Text = std::string;

struct Row {
  const char* model;
  Attributes values;  // configuration fields that differ from their defaults
  DataShape shape;    // height, width, channels, classes
  std::int64_t parameters;
};

const Row kRows[] = {
    {"vae", {{"hidden_dim", Text("12")}, {"latent_dim", std::int64_t{3}}}, {6, 5, 1, 0}, 888},
    {"vae",
     {{"net", Text("conv")},
      {"channels", Text("4,6")},
      {"latent_dim", std::int64_t{3}},
      {"likelihood", Text("gaussian")},
      {"sigma", Text("learned")}},
     {8, 8, 2, 0},
     1301},
    {"vae",
     {{"net", Text("conv")}, {"channels", Text("4,8")}, {"latent_dim", std::int64_t{3}}},
     {5, 5, 1, 0},  // one pixel is left
     1255},
    // 6x5 pixels in patches of 3: a grid of 2x2 and the class token.
    {"classifier",
     {{"patch_size", std::int64_t{3}},
      {"embed_dim", std::int64_t{8}},
      {"depth", std::int64_t{2}},
      {"num_heads", std::int64_t{2}},
      {"dropout", 0.1},
      {"patch_dropout", 0.5},
      {"label_smoothing", 0.1}},
     {6, 5, 2, 3},
     1987},
    {"classifier",
     {{"net", Text("conv")}, {"channels", Text("4,6")}, {"image_mean", Text("0.4,0.6")}},
     {6, 5, 2, 3},
     817},
    {"clip",
     {{"patch_size", std::int64_t{3}},
      {"embed_dim", std::int64_t{8}},
      {"depth", std::int64_t{1}},
      {"num_heads", std::int64_t{2}},
      {"pool", Text("mean")},
      {"pos_embed", Text("sincos")},
      {"text_embed_dim", std::int64_t{8}},
      {"text_depth", std::int64_t{1}},
      {"text_num_heads", std::int64_t{2}},
      {"projection_dim", std::int64_t{5}},
      {"context_length", std::int64_t{6}},
      {"vocab_size", std::int64_t{260}}},
     {6, 5, 2, 0},
     4145},
    {"clip",
     {{"patch_size", std::int64_t{3}},
      {"embed_dim", std::int64_t{4}},
      {"depth", std::int64_t{1}},
      {"num_heads", std::int64_t{1}},
      {"text_embed_dim", std::int64_t{4}},
      {"text_depth", std::int64_t{1}},
      {"text_num_heads", std::int64_t{1}},
      {"projection_dim", std::int64_t{3}},
      {"context_length", std::int64_t{4}},
      {"vocab_size", std::int64_t{260}},
      {"loss", Text("sigmoid")}},
     {6, 5, 1, 0},
     1654},
    {"ddpm",
     {{"net", Text("unet")},
      {"base_channels", std::int64_t{4}},
      {"channel_mult", Text("1,2")},
      {"attention_sizes", Text("3")},
      {"num_timesteps", std::int64_t{50}}},
     {6, 5, 2, 0},
     11694},
    {"ddpm",
     {{"net", Text("dit")},
      {"patch_size", std::int64_t{3}},
      {"embed_dim", std::int64_t{8}},
      {"depth", std::int64_t{1}},
      {"num_heads", std::int64_t{2}},
      {"class_conditional", true},
      {"variance_type", Text("learned-range")},
      {"loss", Text("vlb")},
      {"num_timesteps", std::int64_t{50}}},
     {6, 5, 1, 3},
     3818},
    {"ddpm",
     {{"embed_dim", std::int64_t{8}},
      {"depth", std::int64_t{2}},
      {"prediction_type", Text("v")},
      {"beta_schedule", Text("cosine")},
      {"timestep_sampler", Text("loss-second-moment")},
      {"num_timesteps", std::int64_t{40}}},
     {2, 3, 1, 0},
     686},
    // 9x8 pixels: halved once.
    {"gan",
     {{"base_channels", std::int64_t{3}},
      {"latent_dim", std::int64_t{4}},
      {"penalty", Text("gradient")},
      {"instance_noise", 0.1}},
     {9, 8, 2, 0},
     438},
    {"gan",
     {{"base_channels", std::int64_t{3}},
      {"latent_dim", std::int64_t{4}},
      {"class_conditional", true},
      {"loss", Text("hinge")}},
     {8, 8, 1, 3},
     2118},
    {"gan",
     {{"hidden_dim", Text("6,5")},
      {"latent_dim", std::int64_t{4}},
      {"activation", Text("tanh")},
      {"loss", Text("wasserstein")},
      {"penalty", Text("dragan")}},
     {2, 3, 1, 0},
     184},
};

constexpr std::int64_t kPictures = 3;

Model fitted(const Row& row) {
  Model model = make_model(row.model);
  for (const auto& [name, value] : row.values) {
    auto field = std::ranges::find(model.fields, name, &BoundField::name);
    REQUIRE(field != model.fields.end());
    field->set(value);
  }
  model.fit(row.shape);
  return model;
}

// A graph over a few random pictures with labels that go round.
struct Bench {
  Graph graph;
  Store store{5};
  Scope scope;
  Batch batch;
  OracleState inputs;

  Bench(const Model& model, const DataShape& shape, Mode mode)
      : scope(graph, store, mode, noise_inputs(graph, kPictures)) {
    Shape pictures{kPictures, shape.height, shape.width, shape.channels};
    batch.image = graph.input("image", DType::f32, pictures);
    RandomStream random(2, stream_of("models_test"));
    std::vector<double> image(std::size_t(pictures.count())), ids, labels;
    for (double& v : image) v = random.uniform();
    for (std::int64_t i = 0; i < kPictures; ++i) ids.push_back(double(i));
    for (std::int64_t i = 0; i < kPictures; ++i)
      labels.push_back(double(i % std::max<std::int64_t>(1, shape.num_classes)));
    inputs.inputs["image"] = testing::dense_of(pictures, image);
    inputs.inputs["ids"] = testing::dense_of({kPictures}, ids, DType::i32);
    inputs.inputs["clock"] = testing::dense_of({3}, {3, 0, 1}, DType::i32);
    if (model.context_length) add_captions(model.context_length());
    if (shape.num_classes == 0) return;
    batch.label = graph.input("label", DType::i32, {kPictures});
    inputs.inputs["label"] = testing::dense_of({kPictures}, labels, DType::i32);
  }
  // Texts of 2, 3, .. tokens between the largest, which end them, and padding.
  void add_captions(std::int64_t length) {
    std::vector<double> tokens(std::size_t(kPictures * length), 0);
    for (std::int64_t i = 0; i < kPictures; ++i) {
      std::int64_t words = i % (length - 1) + 1;
      for (std::int64_t j = 0; j < words; ++j)
        tokens[std::size_t(i * length + j)] = double(3 + 5 * i + j);
      tokens[std::size_t(i * length + words)] = 259;
    }
    batch.tokens = graph.input("tokens", DType::i32, {kPictures, length});
    inputs.inputs["tokens"] = testing::dense_of({kPictures, length}, tokens, DType::i32);
  }
  OracleState state() const {
    OracleState s = testing::state_of(store);
    s.inputs = inputs.inputs;
    return s;
  }
  std::vector<double> value(Expr e) const {
    OracleState s = state();
    return testing::value_of(e, s);
  }
};

void check_finite(const std::vector<double>& values) {
  CHECK(std::ranges::all_of(values, [](double v) { return std::isfinite(v); }));
}

// |difference quotient - gradient . direction| relative to the sum of magnitudes.
double gradient_error(const Bench& bench, const Scope& part, Expr loss) {
  std::vector<Expr> params = part.params();
  std::vector<std::string> names = part.param_names();
  std::vector<Expr> grads = gradient(loss, params);
  const double step = 1e-6;
  // Away from the start: a last layer of zeros hides what lies before it.
  OracleState at = bench.state();
  for (const std::string& name : names) {
    RandomStream random(8, stream_of(name));
    for (double& v : at.slots[name].v) v += 0.2 * random.normal();
  }
  OracleState plus = at, minus = at;
  double along = 0, size = 0;
  for (std::size_t i = 0; i < params.size(); ++i) {
    OracleState here = at;
    std::vector<double> g = testing::value_of(grads[i], here);
    RandomStream random(7, stream_of(names[i]));
    for (std::size_t j = 0; j < g.size(); ++j) {
      double v = random.normal();
      along += g[j] * v;
      size += std::abs(g[j] * v);
      plus.slots[names[i]].v[j] += step * v;
      minus.slots[names[i]].v[j] -= step * v;
    }
  }
  double up = testing::value_of(loss, plus)[0], down = testing::value_of(loss, minus)[0];
  return std::abs((up - down) / (2 * step) - along) / size;
}

// Those of a model that has but one objective: itself, without a name.
std::vector<Player> players_of(const Model& model) {
  if (model.players) return model.players();
  return {{.name = "", .objective = model.objective}};
}

}  // namespace

TEST_CASE("every registered model has a row") {
  for (const ModelEntry& entry : registry()) {
    INFO(std::string(entry.name));
    CHECK(
        std::ranges::any_of(kRows, [&](const Row& row) { return Text(row.model) == entry.name; }));
    CHECK(Text(entry.summary).size() > 10);
    CHECK(make_model(entry.name).name == entry.name);
  }
}

TEST_CASE("models have the parameters, the loss and the gradient that they should have") {
  for (const Row& row : kRows) {
    INFO(std::string(row.model));
    Model model = fitted(row);
    std::int64_t parameters = 0;
    double error = 0;
    for (const Player& player : players_of(model)) {
      Bench bench(model, row.shape, Mode::train);
      Objective objective = player.objective(bench.scope, bench.batch);
      Scope part = player.name.empty() ? bench.scope : bench.scope / player.name;
      for (Expr p : part.params()) parameters += p.shape().count();
      CHECK(objective.loss.shape() == Shape{});
      CHECK(!objective.unit.empty());
      for (const Term& term : objective.terms) check_finite(bench.value(term.value));
      check_finite(bench.value(objective.loss));
      error = std::max(error, gradient_error(bench, part, objective.loss));
    }
    CHECK(parameters == row.parameters);
    fmt::print("summary: {}: {} parameters, gradient against differences {:.1e}\n", row.model,
               parameters, error);
    CHECK(error < 1e-6);
  }
}

TEST_CASE("models of pictures refuse vectors by name") {
  for (const char* name : {"vae", "clip", "classifier"}) {
    Model model = make_model(name);
    DataShape shape{.height = 1,
                    .width = 1,
                    .channels = 8,
                    .num_classes = 2,
                    .real = true,
                    .vocab_size = 300,
                    .source = "points.h5"};
    std::string said;
    try {
      model.fit(shape);
    } catch (const UsageError&) {
      said = "misuse";
    } catch (const Error& error) {
      said = error.what();
    }
    CHECK(said == fmt::format("points.h5: holds vectors, but {} is a model of pictures", name));
  }
}

TEST_CASE("what a model offers has the shapes that tools rely on") {
  for (const Row& row : kRows) {
    INFO(std::string(row.model));
    Model model = fitted(row);
    DataShape shape = model.data_shape();
    CHECK(shape.height == row.shape.height);
    CHECK(shape.width == row.shape.width);
    CHECK(shape.channels == row.shape.channels);
    {
      Bench once(model, row.shape, Mode::train);
      // creates what reading needs
      for (const Player& player : players_of(model)) player.objective(once.scope, once.batch);
    }
    Bench bench(model, row.shape, Mode::eval);
    auto is_picture = [&](Expr image) {
      CHECK(to_string(image.shape()) == to_string(bench.batch.image.shape()));
      for (double v : bench.value(image)) CHECK((v >= 0 && v <= 1));
    };
    if (model.validation) {
      auto terms = model.validation(bench.scope, bench.batch);
      REQUIRE(!terms.empty());
      for (const Term& term : terms) {
        CHECK(to_string(term.value.shape()) == to_string(Shape{kPictures}));
        check_finite(bench.value(term.value));
      }
    }
    if (model.log_weight) {
      Expr weight = model.log_weight(bench.scope, bench.batch);
      CHECK(to_string(weight.shape()) == to_string(Shape{kPictures}));
      check_finite(bench.value(weight));
    }
    if (model.encode && model.decode) {
      Expr latent = model.encode(bench.scope, bench.batch.image, {});
      CHECK(to_string(latent.shape()) == to_string(model.latent_shape(kPictures)));
      is_picture(model.decode(bench.scope, latent, bench.batch.label));
    }
    auto is_rows = [&](Expr rows, std::int64_t columns) {
      CHECK(rows.shape().rank() == 2);
      CHECK(rows.shape()[0] == kPictures);
      if (columns > 0) CHECK(rows.shape()[1] == columns);
      check_finite(bench.value(rows));
    };
    if (model.encode) is_rows(model.encode(bench.scope, bench.batch.image, {}), 0);
    if (model.classify) is_rows(model.classify(bench.scope, bench.batch.image), shape.num_classes);
    if (model.encode_text) {
      std::int64_t dim = model.encode(bench.scope, bench.batch.image, {}).shape()[1];
      is_rows(model.encode_text(bench.scope, bench.batch.tokens), dim);
    }
    bool looks = model.attention && to_text(*find(to_attributes(model.fields), "net")) == "vit";
    if (looks) {
      for (Expr weights : model.attention(bench.scope, bench.batch.image)) {
        CHECK(weights.shape()[2] == weights.shape()[3]);
        std::vector<double> values = bench.value(weights);
        double total = 0;
        for (double v : values) total += v;
        std::int64_t rows = weights.shape().count() / weights.shape()[3];
        CHECK(total == testing::near(double(rows)));
      }
    }
    if (model.draw)
      is_picture(model.draw(bench.scope, {.rows = kPictures, .label = bench.batch.label}));
  }
}
