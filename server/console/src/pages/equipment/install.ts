/** What is run on a device, once, with the carrier's own two files beside it. */
export function installCommand(token: string): string {
  return [
    `printf '%s\\n' '${token.replaceAll("'", '')}' > token`,
    'lineman-agent enrol --token-file token --signers signers --vendor-root vendor-root --vouched-by TECHNICIAN --state /var/lib/lineman-agent',
    'lineman-agent doctor --state /var/lib/lineman-agent',
    'systemctl enable --now lineman-agent',
  ].join('\n');
}
