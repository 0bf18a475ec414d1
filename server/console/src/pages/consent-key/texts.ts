import { texts } from '../../lib/i18n.svelte';

const zh = {
  warn: '本页面和名册都由厂商的支持中心提供，贵方没有独立核对：支持中心可以让您看到的与您签署的不同，也可以在您打开本站时动用这把密钥。能用自己的机器时，请用自己的机器。处处都会注明“在厂商提供的页面中批准”。',
  missing: '这个浏览器做不到：需要 HTTPS、可用的本地存储，以及支持 Ed25519 的 WebCrypto。请在您自己的机器上批准。',
  none: '密钥只保存在这个浏览器里，无法导出。', make: '生成密钥', key: '您在这个浏览器里的密钥',
  list: '请核对指纹后，把这一行交给管理贵方签名人清单的人（lineman signers new、sign、publish）：',
  unlisted: '支持中心转发过的签名人清单里没有这把密钥。如果设备上的清单也没有，设备会拒绝，这份申请就作废了。',
  remove: '删除密钥', removeWhat: '{key} 无法恢复。请让清单的管理人也删去它那一行。',
  minutes: '时长（分钟）', show: '显示要签署的内容', sign: '在本页面签署', signWhat: '您将签署上面显示的内容，一字不差。设备确认后，{who} 就能进入 {device}。',
} as const;

const en: Record<keyof typeof zh, string> = {
  warn: 'This page and the roster come from the vendor’s support centre, and nothing of yours checks them: the centre could show you something else than you sign, and use this key whenever you are on this site. Use your own machine where you can. Every screen will say “approved in a page served by the vendor”.',
  missing: 'This browser can’t do it: that takes HTTPS, local storage, and a WebCrypto that knows Ed25519. Approve on your own machine.',
  none: 'The key stays in this browser and can’t be exported.', make: 'Make a key', key: 'Your key in this browser',
  list: 'Compare the fingerprint, and hand this line to whoever keeps your signer list (lineman signers new, sign, publish):',
  unlisted: 'No signer list that the support centre passed on names this key. If the device’s list doesn’t either, the device refuses, and the request is used up.',
  remove: 'Remove the key', removeWhat: '{key} can’t be brought back. Have its line taken off the list, too.',
  minutes: 'For (minutes)', show: 'Show what would be signed', sign: 'Sign in this page', signWhat: 'You sign exactly the text that is shown. Once the device has checked it, {who} can enter {device}.',
};

export const t = texts(zh, en);
