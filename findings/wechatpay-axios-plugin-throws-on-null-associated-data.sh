#!/usr/bin/env bash
# wechatpay-axios-plugin 0.9.6: `associated_data` of a notification's resource is optional at WeChat Pay. Left out, it is
# taken as empty; as JSON's null, as which serializers write an optional member that is not there, decrypting throws a
# TypeError of node:crypto instead of taking it as empty.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent --ignore-scripts wechatpay-axios-plugin@0.9.6
cat > try.cjs <<'END'
const { createCipheriv } = require('node:crypto');
const { Aes } = require('wechatpay-axios-plugin');
const key = '0123456789abcdef0123456789abcdef';
const nonce = 'abcdef012345';
const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
const sealed = Buffer.concat([cipher.update('{"trade_state":"SUCCESS"}', 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
const opened = (associatedData) => {
  try {
    return Aes.AesGcm.decrypt(sealed, key, nonce, associatedData);
  } catch (error) {
    return `threw ${error.name} ${error.code}`;
  }
};
console.log(`left out: ${opened(undefined)}; null: ${opened(JSON.parse('{"associated_data":null}').associated_data)}`);
END
seen=$(node try.cjs)
echo "wechatpay-axios-plugin 0.9.6: $seen"
[ "$seen" = 'left out: {"trade_state":"SUCCESS"}; null: threw TypeError ERR_INVALID_ARG_TYPE' ]
