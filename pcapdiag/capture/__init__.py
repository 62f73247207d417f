"""From the wire to datagrams: files, link layers, IP, fragments, ICMP errors. Knows nothing of IKE but its ports."""
