#!/usr/bin/env bash
# alipay-sdk 4.14.0 (the provider's own library for Node): a genuine notice with charset=GBK, signed as Alipay signs it, over
# the bytes of the GBK text, is refused. checkNotifySign builds the text from the decoded values and hashes its UTF-8,
# whatever the notice's `charset` says; the same notice in ASCII alone is accepted, so that the fault shows with the first
# Chinese subject.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent --ignore-scripts alipay-sdk@4.14.0
cat > try.cjs <<'END'
const { generateKeyPairSync, sign } = require('node:crypto');
const { AlipaySdk } = require('alipay-sdk');
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const alipayPublicKey = pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
const sdk = new AlipaySdk({ appId: '2021000000000000', privateKey, alipayPublicKey, keyType: 'PKCS8' });
// Each subject with its bytes in GBK: Node writes none, and these are the two characters for "course".
const subjects = { ascii: ['course', Buffer.from('course')], chinese: ['课程', Buffer.from('bfceb3cc', 'hex')] };
const seen = Object.entries(subjects).map(([name, [subject, bytes]]) => {
  const notice = { app_id: '2021000000000000', charset: 'GBK', subject, total_amount: '45.00', trade_status: 'TRADE_SUCCESS' };
  const text = Buffer.concat([Buffer.from('app_id=2021000000000000&charset=GBK&subject='), bytes, Buffer.from('&total_amount=45.00&trade_status=TRADE_SUCCESS')]);
  const signature = sign('RSA-SHA256', text, pair.privateKey).toString('base64');
  return `${name} ${sdk.checkNotifySign({ ...notice, sign: signature, sign_type: 'RSA2' })}`;
});
console.log(seen.join(', '));
END
seen=$(node try.cjs)
echo "alipay-sdk 4.14.0: $seen"
[ "$seen" = 'ascii true, chinese false' ]
