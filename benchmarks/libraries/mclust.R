# Times mclust's EM from a given start.
#
#     Rscript mclust.R MODEL START ROWS n d K ITERATIONS OUT
#
# MODEL is VVV, EEE, VVI or VII. START, ROWS and OUT hold doubles: weights (K), means (K, d) and the
# covariances of the family, in C order. Prints the seconds EM took.

suppressPackageStartupMessages(library(mclust))

argument <- commandArgs(trailingOnly = TRUE)
model <- argument[1]
n <- as.integer(argument[4])
d <- as.integer(argument[5])
K <- as.integer(argument[6])
iterations <- as.integer(argument[7])
count <- c(VVV = K * d * d, EEE = d * d, VVI = K * d, VII = K)[[model]]

file <- file(argument[2], "rb")
weights <- readBin(file, "double", K)
means <- matrix(readBin(file, "double", K * d), d, K)
covariances <- readBin(file, "double", count)
close(file)
file <- file(argument[3], "rb")
rows <- t(matrix(readBin(file, "double", n * d), d, n))
close(file)

variance <- list(modelName = model, d = d, G = K)
if (model == "VVV") {
  variance$sigma <- array(covariances, c(d, d, K))
  variance$cholsigma <- array(apply(variance$sigma, 3, chol), c(d, d, K))
} else if (model == "EEE") {
  variance$Sigma <- matrix(covariances, d, d)
  variance$cholSigma <- chol(variance$Sigma)
} else if (model == "VVI") {
  variances <- matrix(covariances, d, K)
  variance$scale <- exp(colMeans(log(variances)))
  variance$shape <- t(t(variances) / variance$scale)
} else {
  variance$sigmasq <- covariances
  variance$scale <- covariances
}
parameters <- list(pro = weights, mean = means, variance = variance)
control <- emControl(tol = c(0, 0), itmax = c(iterations, iterations))

begin <- proc.time()[["elapsed"]]
fit <- suppressWarnings(em(modelName = model, data = rows, parameters = parameters, control = control))
cat(proc.time()[["elapsed"]] - begin, attr(fit, "info")[["iterations"]], "\n")

found <- fit$parameters$variance
covariances <- switch(model,
  VVV = found$sigma,
  EEE = found$Sigma,
  VVI = t(t(found$shape) * found$scale),
  VII = found$sigmasq
)
file <- file(argument[8], "wb")
writeBin(as.double(fit$parameters$pro), file)
writeBin(as.double(fit$parameters$mean), file)
writeBin(as.double(covariances), file)
close(file)
