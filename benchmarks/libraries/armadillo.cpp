// Times Armadillo's EM from a given start.
//
//     armadillo MODEL START ROWS n d K ITERATIONS OUT
//
// MODEL is "full" or "diag". START holds, as doubles in column-major order, weights (K), means (d, K)
// and covariances (d, d, K) or variances (d, K); ROWS the data (d, n). OUT receives the same as START
// after the iterations. Prints the seconds that learn took; without arguments, Armadillo's version.

#include <armadillo>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

using arma::uword;

static void read(std::ifstream& file, double* values, uword count) {
    file.read(reinterpret_cast<char*>(values), std::streamsize(count * sizeof(double)));
    if (!file) {
        std::cerr << "armadillo: a file is shorter than its shape says\n";
        std::exit(1);
    }
}

static void write(std::ofstream& file, const double* values, uword count) {
    file.write(reinterpret_cast<const char*>(values), std::streamsize(count * sizeof(double)));
}

template <typename Model>
static double learn(Model& model, const arma::mat& rows, uword K, uword iterations) {
    const auto begin = std::chrono::steady_clock::now();
    const bool good = model.learn(rows, K, arma::maha_dist, arma::keep_existing, 0, iterations, 1e-10, false);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (!good) {
        std::cerr << "armadillo: learn failed\n";
        std::exit(1);
    }
    return taken.count();
}

int main(int count, char** argument) {
    if (count == 1) {
        std::cout << arma::arma_version::as_string() << '\n';
        return 0;
    }
    const bool full = std::string(argument[1]) == "full";
    const uword n = std::stoull(argument[4]), d = std::stoull(argument[5]), K = std::stoull(argument[6]);
    const uword iterations = std::stoull(argument[7]);

    arma::rowvec weights(K);
    arma::mat means(d, K), rows(d, n), variances(full ? 0 : d, full ? 0 : K);
    arma::cube covariances(full ? d : 0, full ? d : 0, full ? K : 0);
    {
        std::ifstream start(argument[2], std::ios::binary), data(argument[3], std::ios::binary);
        read(start, weights.memptr(), weights.n_elem);
        read(start, means.memptr(), means.n_elem);
        read(start, full ? covariances.memptr() : variances.memptr(),
             full ? covariances.n_elem : variances.n_elem);
        read(data, rows.memptr(), rows.n_elem);
    }

    double seconds;
    std::ofstream out(argument[8], std::ios::binary);
    if (full) {
        arma::gmm_full model;
        model.set_params(means, covariances, weights);
        seconds = learn(model, rows, K, iterations);
        write(out, model.hefts.memptr(), K);
        write(out, model.means.memptr(), d * K);
        write(out, model.fcovs.memptr(), d * d * K);
    } else {
        arma::gmm_diag model;
        model.set_params(means, variances, weights);
        seconds = learn(model, rows, K, iterations);
        write(out, model.hefts.memptr(), K);
        write(out, model.means.memptr(), d * K);
        write(out, model.dcovs.memptr(), d * K);
    }
    std::cout.precision(9);
    std::cout << seconds << '\n';
}
