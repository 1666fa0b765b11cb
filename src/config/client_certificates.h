/* SPDX-License-Identifier: MIT */
/*
 * config/client_certificates.h: the directory of client certificates that a configuration names.
 *
 * Every NAME.pem in it is read with the configuration, and again at a reload; names that begin with
 * a dot, and other files, are left alone. What is wrong with one is a mistake of the configuration:
 * a certificate that is missing when a delivery needs it is found too late.
 */
#ifndef POSTRIDER_CONFIG_CLIENT_CERTIFICATES_H
#define POSTRIDER_CONFIG_CLIENT_CERTIFICATES_H

#include "config/reading.h"

#define CLIENT_CERTIFICATES_MAX 1000 /* files */

/* Of network.client_certificates, whose path is found and kept as named_files.h says. */
void client_certificates_load(struct reading *reading, const struct config_option *option);

#endif
