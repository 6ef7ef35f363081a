# ruff: noqa: E501  (the made-up files stand as their logs have them)
"""The mappings of well-known logs, on made-up files of the same form."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bundlegym.data import clean, load_log
from bundlegym.data.columns_file import read_columns_file, with_file_options
from bundlegym.data.config import ReadOptions

RECIPES = Path(__file__).resolve().parents[2] / "examples" / "logs"

#: Name of the recipe -> its files, the log first; two usable lines in two baskets, each worth what is said.
FORMS: dict[str, tuple[dict[str, str], float]] = {
    "uci_online_retail": (
        {
            "Online Retail.csv": "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
            "536365,85123A,WHITE HOLDER,6,12/1/2010 8:26,2.55,17850.0,United Kingdom\n"
            "536366,71053,LANTERN,2,12/13/2010 8:26,3.00,13047.0,United Kingdom\n"
            "536367,POST,POSTAGE,1,12/13/2010 8:26,18.00,13047.0,France\n"
            "536368,71053,LANTERN,2,12/13/2010 8:26,3.00,,United Kingdom\n"
            "536369,22633,HAND WARMER,1,12/13/2010 9:26,1.85,13047.0,United Kingdom\n"
            "C536379,22633,HAND WARMER,-1,12/14/2010 9:41,1.85,13047.0,United Kingdom\n"
        },
        21.3,
    ),
    "uci_online_retail_ii": (
        {
            "online_retail_II.csv": "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
            "489434,85048,LIGHTS,12,2009-12-01 07:45:00,6.95,13085.0,United Kingdom\n"
            "489435,22350,BOWL,1,2009-12-01 07:46:00,2.55,13086.0,United Kingdom\n"
            "489436,M,Manual,1,2009-12-01 07:46:00,20,13086.0,United Kingdom\n"
        },
        85.95,
    ),
    "dunnhumby_complete_journey": (
        {
            "transaction_data.csv": "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE,STORE_ID,RETAIL_DISC,"
            "TRANS_TIME,WEEK_NO,COUPON_DISC,COUPON_MATCH_DISC\n"
            "2375,26984851472,1,1004906,2,1.39,364,-0.6,1631,1,0,0\n"
            "2376,26984851473,9,1033142,1,0.82,364,0,1631,2,0,0\n",
            "product.csv": "PRODUCT_ID,MANUFACTURER,DEPARTMENT,BRAND,COMMODITY_DESC,SUB_COMMODITY_DESC,"
            "CURR_SIZE_OF_PRODUCT\n1004906,69,PRODUCE,Private,POTATOES,POTATOES RUSSET,5 LB\n"
            "1033142,2,PRODUCE,National,ONIONS,ONIONS SWEET,40 LB\n",
            "hh_demographic.csv": "AGE_DESC,MARITAL_STATUS_CODE,INCOME_DESC,HOMEOWNER_DESC,HH_COMP_DESC,HOUSEHOLD_SIZE_DESC,"
            "KID_CATEGORY_DESC,household_key\n65+,A,35-49K,Homeowner,2 Adults No Kids,2,None/Unknown,2375\n",
            "causal_data.csv": "PRODUCT_ID,STORE_ID,WEEK_NO,display,mailer\n1004906,286,1,0,A\n1004906,364,1,5,0\n"
            "1033142,364,2,9,D\n26190,286,2,0,A\n",
            "campaign_desc.csv": "DESCRIPTION,CAMPAIGN,START_DAY,END_DAY\nTypeA,26,1,8\nTypeB,24,659,719\n",
            "campaign_table.csv": "DESCRIPTION,household_key,CAMPAIGN\nTypeA,2376,26\nTypeB,2375,24\n",
            "coupon.csv": "COUPON_UPC,PRODUCT_ID,CAMPAIGN\n10000089061,1004906,26\n10000089061,1004906,26\n"
            "10000089064,1033142,24\n",
            "coupon_redempt.csv": "household_key,DAY,COUPON_UPC,CAMPAIGN\n2376,2,10000089061,26\n",
        },
        2.21,
    ),
    "dunnhumby_sort_of_real": (
        {
            "transactions_200607.csv": "SHOP_WEEK,SHOP_DATE,SHOP_WEEKDAY,SHOP_HOUR,QUANTITY,SPEND,PROD_CODE,"
            "PROD_CODE_10,PROD_CODE_20,PROD_CODE_30,PROD_CODE_40,CUST_CODE,BASKET_ID,STORE_CODE\n"
            "200607,20060413,5,20,2,1.86,PRD0900033,CL00201,DEP00067,G00021,D00005,CUST0001,994100100532897,STORE1\n"
            "200607,20060412,4,19,1,1.54,PRD0900097,CL00001,DEP00001,G00001,D00001,CUST0002,994100100532898,STORE1\n"
            "200607,20060412,4,19,1,1.54,PRD0900097,CL00001,DEP00001,G00001,D00001,,994100100532899,STORE1\n"
        },
        3.4,
    ),
    "tafeng": (
        {
            "ta_feng_all_months_merged.csv": "TRANSACTION_DT,CUSTOMER_ID,AGE_GROUP,PIN_CODE,PRODUCT_SUBCLASS,PRODUCT_ID,"
            "AMOUNT,ASSET,SALES_PRICE\n11/1/2000,01104905,45-49,115,110411,4710199010372,2,24,30\n"
            "11/2/2000,00418683,45-49,115,120107,4710857472535,1,48,46\n"
        },
        76.0,
    ),
    "x5_retailhero": (
        {
            "purchases.csv": "client_id,transaction_id,transaction_datetime,purchase_sum,store_id,product_id,"
            "product_quantity,trn_sum_from_iss,trn_sum_from_red\n"
            "000012768d,7e3e2e3984,2018-12-01 07:12:45,1007.0,54a4a11a29,9a80204f78,2.0,80.0,\n"
            "000012768e,7e3e2e3985,2018-12-08 07:12:45,65.0,54a4a11a29,da89ebd374,1.0,65.0,\n",
            "products.csv": "product_id,level_1,level_2,level_3,level_4,segment_id,brand_id,vendor_id,netto\n"
            "9a80204f78,a,b,c,d,1,e,f,0.5\nda89ebd374,a,b,c,d,1,e,f,0.5\n",
        },
        145.0,
    ),
    "hm": (
        {
            "transactions_train.csv": "t_dat,customer_id,article_id,price,sales_channel_id\n"
            "2018-09-20,000058a12d,0663713001,0.050830508,2\n2018-09-21,000058a12e,0541518023,0.030491525,2\n",
            "articles.csv": "article_id,prod_name,product_type_name,product_group_name,department_name\n"
            "0663713001,Atlanta Push,Bra,Underwear,Expressive Lingerie\n"
            "0541518023,Rae Push,Bra,Underwear,Casual Lingerie\n",
        },
        0.081322033,
    ),
    "rees46": (
        {
            "2019-Oct.csv": "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
            "2019-10-01 00:00:00 UTC,view,44600062,2103,,shiseido,35.79,541312140,72d76fde\n"
            "2019-10-01 00:02:00 UTC,purchase,44600062,2103,,shiseido,35.79,541312140,72d76fde\n"
            "2019-10-09 00:02:00 UTC,purchase,3900821,2053,appliances.water,aqua,33.20,554748717,9333dfbd\n"
        },
        68.99,
    ),
    "olist": (
        {
            "olist_order_items_dataset.csv": "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,"
            "freight_value\no1,1,p1,s,2017-09-19 09:45:35,58.90,13.29\no2,1,p2,s,2017-05-03 11:05:13,239.90,19.93\n"
            "o3,1,p2,s,2017-05-03 11:05:13,239.90,19.93\n",
            "olist_orders_dataset.csv": "order_id,customer_id,order_status,order_purchase_timestamp\n"
            "o1,c1,delivered,2017-09-13 08:59:02\no2,c2,delivered,2017-04-26 10:53:06\n"
            "o3,c3,canceled,2017-04-26 10:53:06\n",
            "olist_customers_dataset.csv": "customer_id,customer_unique_id,customer_city\nc1,u1,x\nc2,u1,x\nc3,u2,x\n",
            "olist_products_dataset.csv": "product_id,product_category_name\np1,cool_stuff\np2,pet_shop\n",
        },
        298.8,
    ),
    "superstore": (
        {
            "superstore.csv": "Row ID,Order ID,Order Date,Ship Date,Customer ID,Customer Name,Product ID,Category,"
            "Sub-Category,Product Name,Sales,Quantity,Discount,Profit\n"
            '1,CA-2016-152156,11/8/2016,11/11/2016,CG-12520,Claire,FUR-BO-1,Furniture,Bookcases,"Bush, Case",261.96,2,0,4\n'
            "2,CA-2016-138688,6/12/2016,6/16/2016,DV-13045,Darrin,OFF-LA-1,Office,Labels,Labels,14.62,2,0,6.9\n"
        },
        276.58,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_recipe_reads_files_of_its_form(tmp_path: Path, name: str) -> None:
    files, worth = FORMS[name]
    for file, text in files.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    recipe = RECIPES / f"{name}.toml"
    log = load_log(tmp_path / next(iter(files)), columns_file=recipe)
    options = with_file_options(ReadOptions(), read_columns_file(recipe).options)
    lines = clean(log, options)[0].transactions
    assert len(lines) == 2
    assert (lines["quantity"] * lines["price_paid"]).sum() == pytest.approx(worth)


def test_all_raw_tables_of_the_complete_journey_are_read(tmp_path: Path) -> None:
    for file, text in FORMS["dunnhumby_complete_journey"][0].items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    log = load_log(
        tmp_path / "transaction_data.csv", columns_file=RECIPES / "dunnhumby_complete_journey.toml"
    )
    assert log.items is not None and log.items["category"].tolist() == ["POTATOES", "ONIONS"]
    assert log.shoppers is not None and log.shoppers.to_dict("records") == [
        {"shopper": "2375", "age": "65+", "marital_status": "A", "income": "35-49K",
         "home_ownership": "Homeowner", "household_comp": "2 Adults No Kids", "household_size": "2",
         "kids_count": "None/Unknown"}
    ]  # fmt: skip
    # One of the two stores of week 1 mails the potatoes, the other displays them.
    assert log.promotions is not None and log.promotions.to_dict("records") == [
        {"item": "1004906", "week": 1, "display": 0.5, "mailer": 0.5},
        {"item": "1033142", "week": 2, "display": 0.5, "mailer": 0.5},
    ]
    records = log.campaigns
    assert records is not None
    # Day 1 is that of the first line: the shop's own second week begins on day 9 at the latest.
    day_1 = log.transactions["time"].min()
    first = records.campaigns.set_index("campaign").loc["26"]
    assert first["first_day"] == day_1 and first["last_day"] == day_1 + pd.Timedelta(days=7)
    assert first["kind"] == "TypeA" and first["received"] == 16
    assert records.campaigns.set_index("campaign").loc["24", "received"] == 1
    assert len(records.coupons) == 2  # one row came again
    assert records.redemptions is not None and records.redemptions["coupon"].tolist() == ["10000089061"]
    told = log.assumptions
    assert "1: row that comes again" in told["table coupons"]
    assert "0 means no, and A, D means yes" in told["promotions, read"]
    assert "1 rows are of no item of the log" in told["promotions, read"]
    assert "1 of 2 campaigns ran" in told["campaigns, read"]
    assert "known of 1 of 2 shoppers" in told["shoppers, read"]


def test_each_recipe_is_tried() -> None:
    assert {path.stem for path in RECIPES.glob("*.toml")} == set(FORMS)
