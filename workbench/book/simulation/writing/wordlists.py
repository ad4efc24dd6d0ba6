"""Faker's word lists, English and Chinese, ready to be drawn from with numpy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import cycle

import numpy as np
import numpy.typing as npt

from workbench.book.simulation.world import Floats, Ints

Texts = npt.NDArray[np.object_]

CITIES = 500
"""House choice: English city names made as Faker makes them, a family name and an ending; Chinese ones from given names."""

# Faker's zh_CN has no pinyin for its names: here are the signs of its given names and of its hundred most common family
# names, read as in family names. A name with any other sign is left out.
PINYIN = """
bai白 bin彬斌 bing兵 bo博波 cai蔡 cao曹 chang畅 chao超 chen陈晨 cheng程成 chun春 cui崔 dai戴 dan丹 deng邓 ding丁
dong董东冬 du杜 duan段 fan范帆 fang方芳 fei飞 feng冯凤峰 fu傅 gang刚 gao高 gong龚 gu顾 gui桂 guo郭国 hai海 han韩
hao郝浩 he何贺 hong洪红 hou侯 hu胡 hua华花 huan欢 huang黄 hui慧辉 jia贾佳 jian健建 jiang蒋姜江 jie杰洁 jin金 jing晶静
ju鞠 juan娟 jun俊军 kai凯 kong孔 kun坤 lai赖 lan兰 lei雷磊 li李黎丽利莉 liang梁亮 liao廖 lin林琳 ling玲 liu刘柳 long龙
lu卢陆璐 luo罗 lyu吕 ma马 mao毛 mei梅 meng孟 min敏 ming明 mo莫 na娜 nan楠 ning宁 pan潘 peng彭鹏 ping平萍 qian钱倩
qiang强 qin秦琴覃 qiu邱 ren任 rong荣 rui瑞 shao邵 shen沈 shi石史 shu淑 shuai帅 song宋 su苏 sun孙 tan谭 tang唐 tao陶涛
tian田 ting婷 wan万 wang王汪 wei魏韦伟 wen文 wu吴武 xia夏霞 xiang想香 xiao萧小 xie谢 xin欣鑫 xiong熊 xiu秀 xu徐许旭
xue薛雪 yan阎严岩燕艳 yang杨洋阳 yao姚 ye叶 yin尹 ying英莹颖 yong勇 yu余宇玉瑜 yuan袁 yun云 zeng曾 zhang张 zhao赵
zhen珍 zheng郑 zhi志芝 zhong钟 zhou周 zhu朱 zou邹
"""


@dataclass(frozen=True)
class WordList:
    """Words, the same in ASCII, and the upper bounds of their cumulated shares, the last being 1."""

    shown: Texts
    plain: Texts
    bounds: Floats

    def pick(self, chance: Floats) -> Ints:
        """Return the positions of the words at these chances, from 0 to below 1.

        >>> word_list({"rare": 1.0, "common": 3.0}).pick(np.array([0.0, 0.24, 0.26])).tolist()
        [0, 0, 1]
        """
        return np.searchsorted(self.bounds, chance, side="right").astype(np.int64)


def word_list(words: Collection[str]) -> WordList:
    """Return a list to draw from: in the frequencies that a mapping gives, else all alike.

    >>> word_list(["O'Neal", "丽华"]).plain.tolist()
    ['oneal', 'lihua']
    """
    shares = (
        {word: float(share) for word, share in words.items()}
        if isinstance(words, Mapping)
        else dict.fromkeys(words, 1.0)
    )
    bounds = np.cumsum(list(shares.values()))
    return WordList(_texts(shares), _texts(map(_plain, shares)), bounds / bounds[-1])


@cache
def word_lists() -> dict[str, WordList]:
    """Return the lists by script and part: `en_female`, `en_male`, `en_last`, `en_city`, `en_street`, the same in `zh`."""
    # Imported here: only who simulates waits for it.
    from faker.providers.address.en_US import Provider as EnglishPlaces
    from faker.providers.address.zh_CN import Provider as ChinesePlaces
    from faker.providers.person.en_US import Provider as English
    from faker.providers.person.zh_CN import Provider as Chinese

    family = {word: share for word, share in Chinese.last_names.items() if _plain(word).isascii()}
    cities = zip(list(English.last_names)[:CITIES], cycle(EnglishPlaces.city_suffixes), strict=False)
    return {
        "en_female": word_list(English.first_names_female),
        "en_male": word_list(English.first_names_male),
        "en_last": word_list(English.last_names),
        "en_city": word_list([name + ending for name, ending in cities]),
        "en_street": word_list(EnglishPlaces.street_suffixes),
        "zh_female": word_list([word for word in Chinese.first_names_female if _plain(word).isascii()]),
        "zh_male": word_list([word for word in Chinese.first_names_male if _plain(word).isascii()]),
        "zh_last": word_list(family),
        "zh_city": word_list([word + "市" for word in Chinese.first_names if len(word) == 2]),
        "zh_district": word_list([word + "区" for word in ChinesePlaces.districts]),
        "zh_street": word_list(ChinesePlaces.street_suffixes),
    }


@cache
def _readings() -> dict[str, str]:
    """Return the pinyin of each Chinese sign that `PINYIN` has."""
    entries = [("".join(filter(str.isascii, entry)), entry) for entry in PINYIN.split()]
    return {sign: syllable for syllable, entry in entries for sign in entry[len(syllable) :]}


def _plain(word: str) -> str:
    return "".join(_readings().get(sign, sign) for sign in word.lower() if sign.isalpha())


def _texts(words: Collection[str] | map[str]) -> Texts:
    return np.array(list(words), dtype=object)
